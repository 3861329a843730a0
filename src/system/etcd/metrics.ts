import type { ClientRequest, Agent as HttpAgent, IncomingMessage } from 'node:http'
import { get, Agent as HttpsAgent } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Metrics } from '../../model/member.js'
import type { Tls } from './tls.js'

const TIMEOUT_MS = 1_000
const KEPT = { keepAlive: true, maxSockets: 1 }
/** A look follows the last one within milliseconds; metrics cost a member more than a status, so they may be so old. */
const FRESH_MS = 1_000
/** Where there are none, behind a proxy for one, they are not asked for at every look. */
const FRESH_FAILURE_MS = 10_000

/** What a member says of itself at /metrics of its client URL (etcd: server/embed/etcd.go, `serveClients`). */
export class MetricsReader {
  readonly #url: string
  readonly #tls: Tls
  #agent: HttpAgent | undefined
  #last: { at: number; metrics: Promise<Metrics> } | undefined

  constructor(url: string, tls: Tls) {
    this.#url = url
    this.#tls = tls
  }

  /** At most a second old; that there are none, at most ten. Never throws. */
  async read(): Promise<Metrics> {
    const known = this.#last
    if (known !== undefined) {
      const metrics = await known.metrics
      const fresh = metrics.kind === 'known' ? FRESH_MS : FRESH_FAILURE_MS
      if (performance.now() - known.at < fresh) return metrics
    }
    const metrics = this.#fetch()
    this.#last = { at: performance.now(), metrics }
    return metrics
  }

  /** The next read asks, however fresh the last one is. */
  forget(): void {
    this.#last = undefined
  }

  close(): void {
    this.#agent?.destroy()
  }

  async #fetch(): Promise<Metrics> {
    try {
      const answer = await this.#get()
      const body = await text(answer)
      if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
      return metricsOf(body, answer.headers.date)
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      return { kind: 'unknown', because: `${this.#url}/metrics cannot be read (${words})` }
    }
  }

  async #get(): Promise<IncomingMessage> {
    const { context, skipVerify, serverName } = this.#tls
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    if (!this.#url.startsWith('https://')) {
      const http = await import('node:http') // with it comes all of Node's web client, a tenth of a status' start-up
      this.#agent ??= new http.Agent(KEPT)
      return answerTo(http.get({ ...addressOf(this.#url), path: '/metrics', agent: this.#agent, signal }))
    }
    this.#agent ??= new HttpsAgent(KEPT)
    const settings = {
      agent: this.#agent,
      signal,
      rejectUnauthorized: !skipVerify,
      secureContext: context(),
      ...(serverName === undefined ? {} : { servername: serverName }),
    }
    return answerTo(get(`${this.#url}/metrics`, settings))
  }
}

const answerTo = (request: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => request.on('response', resolve).on('error', reject))

function addressOf(url: string): { socketPath: string } | { host: string; port: string } {
  if (url.startsWith('unix:')) return { socketPath: url.replace(/^unix:(\/\/)?/, '') }
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port }
}

/** The text format of Prometheus, of which a few lines matter. `date` is the answer's header, by the member's clock. */
export function metricsOf(body: string, date: string | undefined): Metrics {
  const values = (name: string): readonly number[] =>
    [...body.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))]
      .map(([, found]) => Number(found))
      .filter(number => !Number.isNaN(number))
  const value = (name: string) => values(name)[0]
  const isUnderWay = (name: string) => values(name).some(count => count > 0)
  const quota = value('etcd_server_quota_backend_bytes')
  const startSeconds = value('process_start_time_seconds')
  const processStart = startSeconds === undefined ? undefined : Math.round(startSeconds * 1000)
  const now = date === undefined ? Number.NaN : Date.parse(date)
  return {
    kind: 'known',
    processStart,
    uptimeMs: processStart === undefined || Number.isNaN(now) ? undefined : Math.max(0, now - processStart),
    isDefragmenting: isUnderWay('etcd_disk_defrag_inflight'),
    isReceivingSnapshot:
      isUnderWay('etcd_network_snapshot_receive_inflights_total') || // one for each sender
      isUnderWay('etcd_server_snapshot_apply_in_progress_total'),
    quota: quota !== undefined && quota < 0 ? Number.POSITIVE_INFINITY : quota || undefined, // below 0: none
  }
}
