import type { MemberStatus } from '../../model/member.js'
import { statusOf } from './answers.js'
import { CallError, failing } from './callError.js'
import { Connection } from './connection.js'
import { tlsOf } from './tls.js'

type RangeAnswer = Readonly<{
  header: Readonly<{ revision: string; member_id: string }>
  kvs: readonly Readonly<{ key: Buffer }>[]
  more: boolean
  count: string
}>

/** etcd reads the values too before it leaves them out, so a page is as much as it has in memory at once. */
const PAGE = 500
const FIRST = Buffer.from([0])
const TIMEOUT_MS = 60_000

export type User = Readonly<{ name: string; password: string }> | undefined

/** Why nothing can be read: the data has users, and we are none that may read all of it. */
export class NeedsUser extends Error {
  override readonly name = 'NeedsUser'
}

/** Reads a whole store at a unix socket. Throws `Failure` (`etcd`); no key and no value is ever handed out. */
export class StoreReader {
  readonly #connection: Connection

  constructor(socket: string, user?: User) {
    const none = { ca: undefined, cert: undefined, key: undefined, serverName: undefined }
    const tls = tlsOf({ ...none, skipVerify: false })
    const settings = { tls, user, dialTimeoutMs: 2_000, commandTimeoutMs: TIMEOUT_MS }
    this.#connection = new Connection(`unix:${socket}`, settings)
  }

  /** Whether it serves: it leads itself, and has applied what it found. */
  async isServing(): Promise<boolean> {
    try {
      return statusOf(await this.#connection.status()).leader !== undefined
    } catch (error) {
      // Not yet, or it does not tell a stranger; then it is up.
      if (error instanceof CallError) return error.asksForUser || error.permissionDenied
      throw error
    }
  }

  /** Throws `NeedsUser`: newer etcds (seen: 3.5.30) tell their status to users only, where there are any. */
  async status(): Promise<MemberStatus & Readonly<{ revision: number }>> {
    const answer = await asking('Status', () => this.#connection.status())
    return { ...statusOf(answer), revision: Number(answer.header.revision) }
  }

  /** How many keys there are, with one read that etcd answers by counting. Throws `NeedsUser`. */
  async count(): Promise<Readonly<{ keys: number; revision: number }>> {
    const { count, header } = await this.#range({ key: FIRST, range_end: FIRST, count_only: true })
    return { keys: Number(count), revision: Number(header.revision) }
  }

  /** Has etcd read every key and its value, page by page; resolves to how many, and to `sample` of the keys, each as likely. */
  async scan(
    revision: number,
    sample: number,
    random: () => number,
    signal: AbortSignal,
  ): Promise<Readonly<{ keys: number; sample: readonly Buffer[] }>> {
    const drawn: Buffer[] = []
    let keys = 0
    for (let from = FIRST; ; ) {
      signal.throwIfAborted()
      const page = { key: from, range_end: FIRST, limit: PAGE, keys_only: true, revision }
      const { kvs, more } = await this.#range(page)
      for (const { key } of kvs) {
        keys++
        const at = keys <= sample ? keys - 1 : Math.floor(random() * keys) // algorithm R
        if (at < sample) drawn[at] = key
      }
      const last = kvs.at(-1)
      if (!more || last === undefined) return { keys, sample: drawn }
      from = Buffer.concat([last.key, FIRST])
    }
  }

  /** Reads one key with its value as of a revision, since leases run out meanwhile; false where it is not there. */
  async holds(key: Buffer, revision: number): Promise<boolean> {
    const { kvs } = await this.#range({ key, revision })
    const [found, second] = kvs
    return found !== undefined && second === undefined && found.key.equals(key)
  }

  #range(payload: object): Promise<RangeAnswer> {
    return asking('Range', () => this.#connection.call<RangeAnswer>('range', payload))
  }

  close(): void {
    this.#connection.close()
  }
}

const asking = <T>(call: string, work: () => Promise<T>): Promise<T> =>
  failing(call, async () => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof CallError) || !isLockedOut(error)) throw error
      throw new NeedsUser('authentication is on', { cause: error })
    }
  })

const isLockedOut = (error: CallError): boolean =>
  error.asksForUser || error.permissionDenied || /invalid user ID or password/.test(error.message)
