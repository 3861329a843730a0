import { describe, Failure, faultOf } from '../model/fault.js'
import type { Alarm } from '../model/member.js'
import { NeedsUser, StoreReader, type User } from '../system/etcd/storeReader.js'

/** What a restored store has shown of itself. */
export type Reading = Readonly<{
  /** Undefined where it tells users only. */
  store: Readonly<{ revision: number; dbSize: number /* bytes */; alarms: readonly Alarm[] }> | undefined
  keys: Readonly<
    | { kind: 'read'; count: number; sampled: number }
    /** Authentication is on, and the user, if any, may not read all of it: etcd serves, and nothing was read. */
    | { kind: 'locked' }
  >
}>

const SAMPLE = 100

type Request = Readonly<{ user: User; random(): number; signal: AbortSignal }>

/** Throws a `restore` fault where it holds less than it should, or does not give what it holds. */
export async function readStore(
  socket: string,
  revision: number,
  { user, random, signal }: Request,
): Promise<Reading> {
  const reader = new StoreReader(socket, user)
  const fail = (problem: string, cause?: unknown) =>
    new Failure({ kind: 'restore', problem: `the drill failed: ${problem}` }, cause)
  try {
    const status = await unlessLocked(reader.status())
    if (status === undefined) return { store: undefined, keys: { kind: 'locked' } }
    if (status.revision < revision)
      throw fail(`the restored store is at revision ${status.revision}, and the archive is of ${revision}`)
    const store = { revision: status.revision, dbSize: status.dbSize, alarms: status.alarms }
    const counted = await unlessLocked(reader.count())
    if (counted === undefined) return { store, keys: { kind: 'locked' } }
    const scanned = await reader.scan(counted.revision, SAMPLE, random, signal)
    if (scanned.keys !== counted.keys)
      throw fail(`etcd counts ${counted.keys} keys, and gives ${scanned.keys}`)
    for (const key of scanned.sample) {
      signal.throwIfAborted()
      if (!(await reader.holds(key, counted.revision)))
        throw fail('a key that etcd lists is not there when it is read')
    }
    return { store, keys: { kind: 'read', count: counted.keys, sampled: scanned.sample.length } }
  } catch (error) {
    const fault = faultOf(error)
    throw fault.kind === 'etcd' ? fail(`reading the restored store: ${describe(fault)}`, error) : error
  } finally {
    reader.close()
  }
}

const unlessLocked = <T>(answer: Promise<T>): Promise<T | undefined> =>
  answer.catch((error: unknown) => {
    if (error instanceof NeedsUser) return undefined
    throw error
  })
