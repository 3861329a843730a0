import { randomInt } from 'node:crypto'
import { Failure } from '../../model/fault.js'
import {
  type ClusterView,
  isBeingDefragmented,
  labelOf,
  type Member,
  type MemberId,
  type MemberView,
  type Read,
} from '../../model/member.js'
import type { Etcd, SnapshotStream } from '../../model/world.js'
import { decimalOf, idOf, type MemberListAnswer, memberOf, statusOf } from './answers.js'
import { CallError, failing, problemOf } from './callError.js'
import { Connection, type ConnectionSettings, HEALTH } from './connection.js'
import { type Greeting, refused, refuseTwoClusters } from './greeting.js'
import type { Method } from './methods.js'
import { orAborted } from './orAborted.js'
import { orAsSoonAs } from './orAsSoonAs.js'
import { blobsOf, SNAPSHOT_IDLE_MS } from './snapshotStream.js'

export type EtcdSettings = ConnectionSettings &
  Readonly<{
    /** The first is the local member's. */
    endpoints: readonly [string, ...string[]]
    defragTimeoutMs: number
  }>

/** A member that is being defragmented does not answer, and the next one is asked before a lease runs out. */
const ANYWHERE_TIMEOUT_MS = 2_000
/** A status that was asked for no longer ago is of now. */
const FRESH_STATUS_MS = 50
const notSent = { mayHaveRun: false, timedOut: false }

/** raft gives a transfer up after one election timeout, 1 s by default; the call itself would go on polling. */
const MOVE_TIMEOUT_MS = 5_000

/** The cluster behind `settings.endpoints`. Throws a `config` fault when the credentials do not fit together. */
export class EtcdCluster implements Etcd {
  readonly #settings: EtcdSettings
  readonly #connections = new Map<string, Connection>()
  /** Which member was last seen to answer at a URL. */
  readonly #answering = new Map<string, MemberId>()
  /** URLs where a member did not answer when it was last asked. */
  readonly #out = new Set<string>()
  #members: readonly Member[] = []
  #clusterId = ''
  #local: MemberId | undefined
  /** Where a call that any member can answer was answered last: another may be out for a while. */
  #lastGood = ''

  constructor(settings: EtcdSettings) {
    this.#settings = settings
    for (const url of settings.endpoints) this.#at(url)
  }

  async observe(signal: AbortSignal): Promise<ClusterView> {
    return orAborted(this.#observe(), signal)
  }

  async #observe(): Promise<ClusterView> {
    const { endpoints } = this.#settings
    const isFirst = this.#members.length === 0
    // At one that answered, a look at its member tells who is there now.
    const greeting = Promise.all(
      endpoints.filter(url => !this.#isAnswering(url)).map(url => this.#greet(url)),
    )
    // Nobody is known at the first look; later on, there is no need to wait for those that were seen to answer.
    if (isFirst) refuseTwoClusters(endpoints, await greeting)
    const asked = new Set([...endpoints, ...this.#members.flatMap(m => m.clientUrls)])
    const listing = this.#listMembers([...asked].filter(url => this.#answering.has(url)))
    const [greetings, hasList] = await Promise.all([greeting, listing])
    if (isFirst && !hasList) {
      const said = greetings.map(({ problem }, i) => `${endpoints[i]}: ${problem ?? 'gives no member list'}`)
      throw refused('reachable', `etcd cannot be reached: ${said.join('; ')}`)
    }
    this.#local ??=
      this.#answering.get(endpoints[0]) ?? this.#members.find(m => m.clientUrls.includes(endpoints[0]))?.id
    const members = await Promise.all(this.#members.map(member => this.probe(member)))
    return { clusterId: this.#clusterId, local: this.#local, members }
  }

  /** Learns which member answers at an endpoint; what is in the way otherwise. */
  async #greet(url: string): Promise<Greeting> {
    try {
      const answer = await this.#at(url).status()
      const cluster = idOf(answer.header.cluster_id)
      this.#clusterId ||= cluster
      if (cluster !== this.#clusterId)
        return { problem: `a member of another cluster (${cluster}) answers there`, cluster, isForeign: true }
      this.#answering.set(url, idOf(answer.header.member_id))
      return { cluster, isForeign: false }
    } catch (error) {
      return { problem: problemOf(error), isForeign: false }
    }
  }

  /** From the first that gives one; serializable, so that it comes without a quorum too. A learner serves none. */
  async #listMembers(urls: readonly string[]): Promise<boolean> {
    for (const url of urls) {
      try {
        const answer = await this.#at(url).call<MemberListAnswer>('memberList', {
          linearizable: false,
        })
        if (idOf(answer.header.cluster_id) !== this.#clusterId) continue
        this.#members = answer.members.map(memberOf)
        return true
      } catch (error) {
        problemOf(error) // the next endpoint may give it; a bug of ours is thrown on
      }
    }
    return false
  }

  async probe(member: Member): Promise<MemberView> {
    const urls = this.#urlsOf(member)
    const problems: string[] = []
    for (const url of urls) {
      try {
        const at = this.#at(url)
        const askedAt = performance.now()
        const asked = at.status()
        // Connecting is no part of the time that a read takes.
        if (this.#answering.get(url) !== member.id || this.#out.has(url)) await asked
        const [answer, read] = await Promise.all([asked, this.#read(member, url)])
        const id = idOf(answer.header.member_id)
        const cluster = idOf(answer.header.cluster_id)
        if (cluster === this.#clusterId) this.#answering.set(url, id)
        if (id !== member.id || cluster !== this.#clusterId) {
          problems.push(`${url}: another member answers there (${id} of cluster ${cluster})`)
          continue
        }
        if (this.#out.delete(url)) at.metrics.forget() // what it said was before it was out
        const metrics = await at.metrics.read()
        // What is decided on must be of now, and all before may have taken long.
        const isOld = performance.now() - askedAt > FRESH_STATUS_MS
        const status = statusOf(isOld ? await at.status() : answer)
        return { kind: 'reachable', member, endpoint: url, status, read, metrics }
      } catch (error) {
        this.#out.add(url)
        problems.push(`${url}: ${problemOf(error)}`)
      }
    }
    const started = member.name === '' ? 'it has not started yet' : 'it has no client URL in the member list'
    const problem = problems.length === 0 ? started : problems.join('; ')
    const own = urls.find(url => (this.#answering.get(url) ?? member.id) === member.id) // or nobody answered there yet
    if (own === undefined)
      return { kind: 'unreachable', member, problem, metrics: { kind: 'unknown', because: problem } }
    const metrics = await this.#at(own).metrics.read()
    const busy = isBeingDefragmented(metrics) ? '; it is being defragmented' : ''
    return { kind: 'unreachable', member, problem: `${problem}${busy}`, metrics }
  }

  async #read(member: Member, url: string): Promise<Read> {
    if (member.learner) return { kind: 'notAsked', because: 'a learner serves no linearizable read' }
    const from = performance.now()
    try {
      await this.#at(url).call('range', HEALTH)
    } catch (error) {
      const problem = problemOf(error)
      // Permission is checked after the read index was confirmed, so the member is well.
      const { permissionDenied, asksForUser } = error as CallError // anything else was thrown on
      if (!permissionDenied) return { kind: 'failed', problem, asksForUser }
    }
    return { kind: 'served', tookMs: Math.round(performance.now() - from) }
  }

  async defragment(member: Member): Promise<void> {
    const timeoutMs = this.#settings.defragTimeoutMs
    await this.#once('Defragment', member, url =>
      this.#at(url).call('defragment', {}, { kind: 'once', timeoutMs }),
    )
  }

  /** Over when the member follows: etcd itself looks only every tick, of 100 ms (server/etcdserver/server.go, `moveLeader`). */
  async moveLeader(from: Member, to: MemberId): Promise<void> {
    const payload = { targetID: decimalOf(to) }
    await this.#once('MoveLeader', from, async url => {
      const at = this.#at(url)
      const { leader } = await at.status().catch((error): never => {
        throw new CallError(problemOf(error), notSent)
      })
      // Somebody else's move to the same member would be taken for ours.
      if (idOf(leader) !== from.id) throw new CallError('it is not leader any more', { mayHaveRun: false })
      const call = at.call('moveLeader', payload, { kind: 'once', timeoutMs: MOVE_TIMEOUT_MS })
      return orAsSoonAs(call, async () => idOf((await at.status()).leader) === to)
    })
  }

  async disarm(member: Member): Promise<void> {
    const payload = { action: 'Deactivate', memberID: decimalOf(member.id), alarm: 'Nospace' }
    await failing('Alarm', () => this.anywhere('alarm', payload))
  }

  /** With a lease, which etcd refuses as it refuses a key under NOSPACE (etcd: server/etcdserver/apply.go, `LeaseGrant`). */
  async proveWrite(): Promise<void> {
    const ID = String(randomInt(1, 2 ** 47))
    await failing('LeaseGrant', async () => {
      await this.anywhere('leaseGrant', { ID, TTL: 5 })
      await this.anywhere('leaseRevoke', { ID })
    })
  }

  /** A call that any member answers alike and that may be sent twice, to those that were last seen to answer. */
  async anywhere<T>(method: Method, payload: object, timeoutMs = ANYWHERE_TIMEOUT_MS): Promise<T> {
    return this.#tryEach(connection => connection.call<T>(method, payload, { timeoutMs }))
  }

  /** The same for one message of a method that streams both ways. */
  async exchangeAnywhere<T>(method: Method, payload: object): Promise<T> {
    return this.#tryEach(connection => connection.exchange<T>(method, payload, ANYWHERE_TIMEOUT_MS))
  }

  async #tryEach<T>(send: (connection: Connection) => Promise<T>): Promise<T> {
    const learners = new Set(this.#members.filter(m => m.learner).map(m => m.id)) // they serve hardly any call
    const urls = [...this.#answering].filter(([, member]) => !learners.has(member)).map(([url]) => url)
    let last: CallError = new CallError('no member answers', { mayHaveRun: false })
    for (const url of new Set([...urls.filter(known => known === this.#lastGood), ...urls])) {
      try {
        const answer = await send(this.#at(url))
        this.#lastGood = url
        return answer
      } catch (error) {
        if (!(error instanceof CallError) || error.answered) throw error
        last = error
      }
    }
    throw last
  }

  async snapshot(from: Member, signal: AbortSignal): Promise<SnapshotStream> {
    const url = this.#urlAnswering(from, 'Snapshot')
    try {
      const {
        header,
        version,
        storageVersion = null,
      } = await orAborted(this.#at(url).status(SNAPSHOT_IDLE_MS), signal)
      const stream = await this.#at(url).snapshot()
      return {
        origin: { revision: Number(header.revision), etcdVersion: version, storageVersion },
        blobs: blobsOf(stream, error => snapshotFailure(from, url, error), signal),
        close: () => stream.cancel(),
      }
    } catch (error) {
      throw snapshotFailure(from, url, error)
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  #isAnswering(url: string): boolean {
    return this.#answering.has(url) && !this.#out.has(url)
  }

  /** Sends a call that is never repeated, to the URL where the member was last seen to answer. */
  async #once(call: string, member: Member, send: (url: string) => Promise<unknown>): Promise<void> {
    const url = this.#urlAnswering(member, call)
    try {
      await this.#at(url).renew()
      await send(url)
    } catch (error) {
      const problem = `member ${labelOf(member)} at ${url}: ${problemOf(error)}`
      const { mayHaveRun, timedOut } = error instanceof CallError ? error : notSent
      throw new Failure({ kind: 'etcd', call, member: member.id, problem, mayHaveRun, timedOut }, error)
    }
  }

  #urlAnswering(member: Member, call: string): string {
    const known = this.#urlsOf(member).filter(candidate => this.#answering.get(candidate) === member.id)
    const url = known.find(candidate => !this.#out.has(candidate)) ?? known[0]
    if (url !== undefined) return url
    const problem = `member ${labelOf(member)} does not answer at any of its client URLs`
    throw new Failure({ kind: 'etcd', call, member: member.id, problem, ...notSent })
  }

  /** Configured endpoints where the member answered, then its own client URLs. */
  #urlsOf(member: Member): readonly string[] {
    const seeds = this.#settings.endpoints.filter(url => this.#answering.get(url) === member.id)
    return [...new Set([...seeds, ...member.clientUrls])]
  }

  #at(url: string): Connection {
    const known = this.#connections.get(url)
    if (known !== undefined) return known
    const connection = new Connection(url, this.#settings)
    this.#connections.set(url, connection)
    return connection
  }
}

function snapshotFailure(from: Member, url: string, error: unknown): Failure {
  const problem = `member ${labelOf(from)} at ${url}: ${problemOf(error)}`
  return new Failure({ kind: 'etcd', call: 'Snapshot', member: from.id, problem, ...notSent }, error)
}
