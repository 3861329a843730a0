import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  ClusterLock,
  Coordination,
  LastRun,
  LockRequest,
  Memory,
  Pause,
} from '../../model/coordination.js'
import { CallError, failing } from './callError.js'
import type { EtcdCluster } from './etcd.js'
import { type Found, memoryOf, written } from './memory.js'

const RENEW_MS = 1_000
const RETRY_MS = 500

/** Who holds the lock, for people, and for a later run of the same host to know a dead one's. */
export type Holder = Readonly<{ by: string; place: string }>

type RangeAnswer = Readonly<{
  kvs: readonly Readonly<{ key: Buffer; value: Buffer; lease: string; mod_revision: string }>[]
}>
type TxnAnswer = Readonly<{
  succeeded: boolean
  responses: readonly Readonly<{ response_range: RangeAnswer }>[]
}>

/** Lock, record and pause under `prefix`. Any member that answers is asked, so that one may be out meanwhile. */
export class EtcdCoordination implements Coordination {
  readonly #etcd: EtcdCluster
  readonly #prefix: string
  readonly #self: () => Promise<Holder>

  /** `self` is asked when the lock is taken. */
  constructor(etcd: EtcdCluster, prefix: string, self: () => Promise<Holder>) {
    this.#etcd = etcd
    this.#prefix = prefix
    this.#self = self
  }

  async read(): Promise<Memory> {
    return failing('Range', async () => {
      const [key, range_end] = [Buffer.from(`${this.#prefix}/`), Buffer.from(`${this.#prefix}0`)] // '0' follows '/'
      const ask = (serializable: boolean) =>
        this.#etcd.anywhere<RangeAnswer>('range', { key, range_end, serializable })
      // Without a quorum, what one member has applied is better than nothing.
      const { kvs } = await ask(false).catch(() => ask(true))
      const found: Found = new Map(
        kvs.map(kv => [kv.key.toString().slice(this.#prefix.length + 1), kv.value.toString()]),
      )
      return memoryOf(found, name => this.#key(name))
    })
  }

  record(run: LastRun): Promise<void> {
    return this.#put('last-run', written.lastRun(run))
  }

  pause(pause: Pause): Promise<void> {
    return this.#put('pause', written.pause(pause))
  }

  resume(): Promise<boolean> {
    return failing('DeleteRange', async () => {
      const { deleted } = await this.#etcd.anywhere<{ deleted: string }>('deleteRange', {
        key: Buffer.from(this.#key('pause')),
      })
      return deleted !== '0'
    })
  }

  async lock(request: LockRequest, signal: AbortSignal): Promise<ClusterLock> {
    const until = performance.now() + request.waitMs
    for (let isFirst = true; ; isFirst = false) {
      signal.throwIfAborted()
      const lock = await this.#tryLock(request).catch(notHad)
      if (lock.kind === 'held' || performance.now() >= until) return lock
      // The other run stalls members and moves leadership: a question without an answer is no reason to stop waiting.
      if (lock.kind === 'none' && (isFirst || lock.because === 'refused')) return lock
      if (isFirst && lock.kind === 'busy') request.waiting(lock.by)
      await sleep(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  async #tryLock({
    isOnlyOneHere,
    ttlMs,
  }: LockRequest): Promise<Extract<ClusterLock, { kind: 'held' | 'busy' }>> {
    const key = Buffer.from(this.#key('lock'))
    // Nothing is written to a store that another run is at, only to find that it is.
    const { kvs } = await this.#etcd.anywhere<RangeAnswer>('range', { key })
    const [present] = kvs
    if (present?.lease === '0')
      throw new CallError(
        `${key} is there and bound to no lease, so it is no run's and would stay for ever: etcdctl del ${key}`,
        { mayHaveRun: false },
      )
    const holder = present === undefined ? undefined : holderOf(present.value)
    const self = await this.#self()
    const isDead = isOnlyOneHere && self.place !== '' && holder?.place === self.place
    if (holder !== undefined && !isDead) return { kind: 'busy', by: holder.by, since: holder.since }
    const lease = new Lease(this.#etcd, ttlMs)
    await lease.grant()
    try {
      const value = Buffer.from(JSON.stringify({ ...self, since: new Date().toISOString() }))
      // Sent twice, it finds its own lease.
      const { succeeded, responses } = await this.#etcd.anywhere<TxnAnswer>('txn', {
        compare: [{ key, result: 'Equal', target: 'Mod', mod_revision: present?.mod_revision ?? '0' }],
        success: [{ request_put: { key, value, lease: lease.id } }],
        failure: [{ request_range: { key } }],
      })
      const winner = responses[0]?.response_range?.kvs[0]
      if (succeeded || winner?.lease === lease.id) {
        const dead = present?.lease // it would only go on living until its time is over
        if (dead !== undefined) await this.#etcd.anywhere('leaseRevoke', { ID: dead }).catch(() => {})
        return this.#held(lease)
      }
      await lease.revoke()
      const { by, since } = holderOf(winner?.value)
      return { kind: 'busy', by, since }
    } catch (error) {
      await lease.revoke()
      throw error
    }
  }

  #held(lease: Lease): ClusterLock & { kind: 'held' } {
    const lost = new AbortController()
    const lose = (how: string) => lost.abort(`the loss of the lock in etcd (${how})`)
    const key = Buffer.from(this.#key('lock'))
    const confirm = async (): Promise<void> => {
      try {
        const { kvs } = await this.#etcd.anywhere<RangeAnswer>('range', { key })
        if (kvs[0] === undefined) lose('its key is gone')
        else if (kvs[0].lease !== lease.id) lose(`${holderOf(kvs[0].value).by} has it now`)
      } catch (error) {
        if (!(error instanceof CallError)) throw error
        if (lease.isOver()) lose(`it could not be renewed: ${error.message}`)
      }
    }
    const released = new AbortController()
    const renewing = (async () => {
      for (;;) {
        await sleep(RENEW_MS, undefined, { signal: released.signal })
        await lease.renew()
        await confirm()
        if (lost.signal.aborted) return
      }
    })()
    renewing.catch(error => {
      if (!released.signal.aborted) lose(String(error)) // else its sleep was ended
    })
    return {
      kind: 'held',
      lost: lost.signal,
      confirm,
      release: async () => {
        released.abort()
        await renewing.catch(() => {}) // see above
        const problem = await lease.revoke()
        if (problem === undefined) return undefined
        return `the lock in etcd could not be given back (${problem}); it goes by itself within ${lease.ttlMs / 1000} s`
      },
    }
  }

  #key(name: string): string {
    return `${this.#prefix}/${name}`
  }

  async #put(name: string, value: string): Promise<void> {
    await failing('Put', () =>
      this.#etcd.anywhere('put', { key: Buffer.from(this.#key(name)), value: Buffer.from(value) }),
    )
  }
}

/** A lease with an id of our choosing, so that a grant may be sent twice. */
class Lease {
  readonly id = String(randomInt(1, 2 ** 47))
  readonly #etcd: EtcdCluster
  /** When the last request went out that etcd has granted or renewed it for, by the monotonic clock. */
  #renewedAt = performance.now()

  readonly ttlMs: number

  constructor(etcd: EtcdCluster, ttlMs: number) {
    this.#etcd = etcd
    this.ttlMs = ttlMs
  }

  async grant(): Promise<void> {
    try {
      await this.#etcd.anywhere('leaseGrant', { ID: this.id, TTL: Math.ceil(this.ttlMs / 1000) })
    } catch (error) {
      // The answer to a first sending was lost.
      if (!(error instanceof CallError && /lease already exists/.test(error.message))) throw error
    }
  }

  async renew(): Promise<void> {
    const from = performance.now()
    try {
      const { TTL } = await this.#etcd.exchangeAnywhere<{ TTL: string }>('leaseKeepAlive', {
        ID: this.id,
      })
      if (Number(TTL) > 0) this.#renewedAt = from
    } catch (error) {
      if (!(error instanceof CallError)) throw error // else the next renewal may do, and time tells
    }
  }

  /** Whether etcd may have let go of it by now. */
  isOver(): boolean {
    return performance.now() - this.#renewedAt >= this.ttlMs
  }

  /** With it goes the lock. Resolves to what went wrong; it expires then. */
  async revoke(): Promise<string | undefined> {
    try {
      await this.#etcd.anywhere('leaseRevoke', { ID: this.id })
      return undefined
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      return /lease not found/.test(error.message) ? undefined : error.message
    }
  }
}

type Present = Readonly<{ by: string; place: string | undefined; since: number | undefined }>

/** Somebody else's value is nobody's place. */
function holderOf(value: Buffer | undefined): Present {
  const unknown = { by: 'of a holder unknown', place: undefined, since: undefined }
  try {
    const fields: unknown = JSON.parse(value?.toString() ?? 'null')
    if (typeof fields !== 'object' || fields === null) return unknown
    const { by, place, since } = fields as Record<string, unknown>
    const at = Date.parse(String(since))
    return {
      by: typeof by === 'string' ? by : unknown.by,
      place: typeof place === 'string' ? place : undefined,
      since: Number.isNaN(at) ? undefined : at,
    }
  } catch {
    return unknown
  }
}

/** Why there is no lock. Throws what is no answer of etcd's, and no lack of one. */
function notHad(error: unknown): Extract<ClusterLock, { kind: 'none' }> {
  if (!(error instanceof CallError)) throw error
  const isRefused = error.outOfSpace || error.permissionDenied
  return { kind: 'none', problem: error.message, because: isRefused ? 'refused' : 'unanswered' }
}
