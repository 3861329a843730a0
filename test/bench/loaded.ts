import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Cluster } from '../lab/cluster.js'
import { isRoot } from '../lab/loopDevice.js'
import type { Done, Plan } from './load.js'

/** Why there can be no load here; undefined where there can. */
export const needsRoot = (): string | undefined =>
  isRoot ? undefined : 'a load at real-time priority takes root'

const OPERATIONS_PER_SECOND = 350
const DEADLINE_MS = 2000
const TRY_MS = 200

/** The load on a cluster, by a process that the scheduler puts before all others (sched(7), SCHED_RR). */
export class Load implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #said = ''

  private constructor(plan: Plan) {
    const main = join(import.meta.dirname, 'loadMain.js')
    const node = [process.execPath, '--no-deprecation', main, JSON.stringify(plan)]
    this.#child = spawn('chrt', ['--rr', '10', 'setpriv', '--pdeathsig', 'KILL', '--', ...node], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', text => {
      this.#said += text
    })
    this.#ended = once(this.#child, 'close')
  }

  static on({ members, client }: Cluster): Load {
    return new Load({
      endpoints: members.map(({ name, clientUrl }) => ({ name, url: clientUrl })),
      tls: client,
      operationsPerSecond: OPERATIONS_PER_SECOND,
      deadlineMs: DEADLINE_MS,
      tryMs: TRY_MS,
    })
  }

  /** Sends no more, waits for what is under way, and gives all of it. */
  async end(): Promise<Done> {
    this.#child.stdin?.end()
    await this.#ended
    if (this.#child.exitCode !== 0) throw new Error(`the load ended with ${this.#child.exitCode}`)
    return JSON.parse(this.#said) as Done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    await this.#ended
  }
}
