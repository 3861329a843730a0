import { pausedBy, tooSoonAfter } from './decide/admission.js'
import { voters } from './decide/cluster.js'
import { type Coordination, type LastRun, type Memory, nothingRemembered } from './model/coordination.js'
import { describe, Failure, faultOf } from './model/fault.js'
import type { ClusterView } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { Verdict } from './model/verdict.js'
import type { HostLock, World } from './model/world.js'

/** A run that was killed keeps other nodes away for so long; a renewal a second has many tries in it. */
const TTL_MS = 15_000
/** The only voter renews no lease while it is defragmented, for which the run has a deadline of its own. */
const TTL_OF_SINGLE_MS = 30 * 60_000
/** No run takes so long, so its holder hangs, on a disk of its backup for one. */
const TOO_LONG_MS = 12 * 3_600_000

/** What makes this run the only one, and what the one before it left. */
export type Hold = Readonly<{
  kind: 'held'
  memory: Memory
  /** Aborted when another run may be at work; its reason says why. */
  lost: AbortSignal
  /** In etcd, and not on this host alone. */
  isLocked: boolean
  warnings: readonly string[]
  /** Asks before a step whether all is as it was; aborts `lost` if not. */
  confirm(): Promise<void>
  /** Leaves the record and gives the locks back; resolves to what went wrong with that. Never throws. */
  leave(run: LastRun | undefined): Promise<readonly string[]>
}>

/** What runs and operators left in etcd; where it cannot be read nothing, and the reason. */
export async function recall(coordination: Coordination): Promise<Memory> {
  try {
    return await coordination.read()
  } catch (error) {
    return { ...nothingRemembered, problems: [`what earlier runs left: ${describe(faultOf(error))}`] }
  }
}

/**
 * Takes the lock of this host and the one in etcd. Resolves to the verdict where another run has them or has just
 * completed. Throws `Failure` (`refused`) where etcd gives no lock and nothing explains it.
 */
export async function takeHold(
  world: World,
  view: ClusterView,
  policy: Policy,
  stop: AbortSignal,
): Promise<Hold | Verdict> {
  const until = world.now() + policy.waitMs
  let host = await world.lock(view.clusterId, 0, stop)
  if (host.kind === 'busy' && policy.waitMs > 0) {
    world.tell({
      event: 'waiting',
      because: `another run, process ${host.by} on this host, is at this cluster`,
    })
    host = await world.lock(view.clusterId, policy.waitMs, stop)
  }
  if (host.kind === 'busy') return elsewhere(`process ${host.by} on this host`)
  try {
    const hold = await inEtcd(world, view, policy, Math.max(0, until - world.now()), host, stop)
    if (hold.kind !== 'held') await letGo(host)
    return hold
  } catch (error) {
    await letGo(host)
    throw error
  }
}

async function inEtcd(
  world: World,
  view: ClusterView,
  policy: Policy,
  waitMs: number,
  host: Exclude<HostLock, { kind: 'busy' }>,
  stop: AbortSignal,
): Promise<Hold | Verdict> {
  const { coordination } = world
  const request = {
    waitMs,
    isOnlyOneHere: host.kind === 'held',
    ttlMs: voters(view).length === 1 ? TTL_OF_SINGLE_MS : TTL_MS,
    waiting: (by: string) =>
      world.tell({ event: 'waiting', because: `another run, ${by}, is at this cluster` }),
  }
  const lock = policy.coordinates
    ? await coordination.lock(request, stop)
    : ({ kind: 'none', because: 'refused', problem: '' } as const)
  if (lock.kind === 'busy') {
    const hours = Math.floor((world.now() - (lock.since ?? world.now())) / 3_600_000)
    if (hours * 3_600_000 < TOO_LONG_MS) return elsewhere(lock.by)
    const problem = `another run, ${lock.by}, has had the lock in etcd for ${hours} h, longer than any run takes: end that process`
    throw new Failure({ kind: 'refused', check: 'oneRunner', problem })
  }
  if (lock.kind === 'none' && lock.because === 'unanswered' && !policy.forceUnhealthy) {
    const problem = `the lock in etcd that keeps other nodes' runs away cannot be had: ${lock.problem}; try again, or go without it with --no-coordination`
    throw new Failure({ kind: 'refused', check: 'oneRunner', problem })
  }
  const release = async (): Promise<readonly string[]> => {
    const problem = lock.kind === 'held' ? await lock.release() : undefined
    await letGo(host)
    return problem === undefined ? [] : [problem]
  }
  const pauseNow = async (memory: Memory) =>
    pausedBy(await world.nodePause(), 'node', world.now()) ?? pausedBy(memory.pause, 'cluster', world.now())
  // Read again under the lock: the run that had it until now may have completed.
  const memory = await recall(coordination)
  try {
    const verdict =
      (await pauseNow(memory)) ??
      (policy.coordinates ? tooSoonAfter(memory.lastRun, world.now(), policy) : undefined)
    if (verdict !== undefined) {
      await release()
      return verdict
    }
  } catch (error) {
    await release()
    throw error
  }
  const paused = new AbortController()
  const lost = AbortSignal.any([
    paused.signal,
    ...(host.kind === 'held' ? [host.lost] : []),
    ...(lock.kind === 'held' ? [lock.lost] : []),
  ])
  return {
    kind: 'held',
    memory,
    lost,
    isLocked: lock.kind === 'held',
    warnings: [
      ...(host.kind === 'none' ? [`another run on this host would not be noticed: ${host.problem}`] : []),
      ...(lock.kind === 'none' && policy.coordinates
        ? [
            `there is no lock in etcd to keep other nodes' runs away (${lock.problem}); who leads is watched instead`,
          ]
        : []),
    ],
    confirm: async () => {
      const [memory] = await Promise.all([
        recall(coordination),
        lock.kind === 'held' ? lock.confirm() : undefined,
      ])
      const now = await pauseNow(memory)
      if (now !== undefined) paused.abort(`a pause: ${now.because}`)
    },
    leave: async run => {
      const problems: string[] = []
      const attempt = async (what: string, work: () => Promise<readonly string[]>) =>
        problems.push(...(await work().catch(error => [`${what}: ${describe(faultOf(error))}`])))
      if (policy.coordinates && run !== undefined && !lost.aborted)
        await attempt('no record of this run is left in etcd', async () => {
          await coordination.record(run)
          return []
        })
      await attempt('the locks could not be given back', release)
      return problems
    },
  }
}

const letGo = async (host: HostLock): Promise<void> => {
  if (host.kind === 'held') await host.release()
}

const elsewhere = (by: string): Verdict => ({
  kind: 'skipped',
  check: 'oneRunner',
  because: `another run, ${by}, is at this cluster; wait for it with --wait 1h`,
})
