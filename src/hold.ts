import { pausedBy, tooSoonAfter } from './decide/admission.js'
import { leaderOf } from './decide/cluster.js'
import { type Coordination, type LastRun, type Memory, nothingRemembered } from './model/coordination.js'
import { describe, Failure, faultOf } from './model/fault.js'
import type { ClusterView, MemberId } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { Verdict } from './model/verdict.js'
import type { HostLock, World } from './model/world.js'

/** What makes this run the only one, and what the one before it left. */
export type Hold = Readonly<{
  kind: 'held'
  /** Aborted when another run may be at work; its reason says why. */
  lost: AbortSignal
  /** Who led when it was taken, where there is no lock in etcd. */
  ledAtFirst: MemberId | undefined
  warnings: readonly string[]
  /** Asks before a step whether all is as it was. Aborts `lost` if not. */
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
  const host = await world.lock(view.clusterId, policy.waitMs, stop)
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
  const lock = policy.coordinates
    ? await coordination.lock(waitMs, host.kind === 'held', stop)
    : ({ kind: 'none', because: 'refused', problem: '' } as const)
  if (lock.kind === 'busy') return elsewhere(lock.by)
  if (lock.kind === 'none' && lock.because === 'unanswered' && !policy.forceUnhealthy) {
    const problem = `the lock in etcd that keeps other nodes' runs away cannot be had: ${lock.problem}; try again, or go without it with --no-coordination`
    throw new Failure({ kind: 'refused', check: 'oneRunner', problem })
  }
  const release = async (): Promise<readonly string[]> => {
    const problem = lock.kind === 'held' ? await lock.release() : undefined
    await letGo(host)
    return problem === undefined ? [] : [problem]
  }
  // Read again under the lock: the run that had it until now may have completed.
  const memory = await recall(coordination)
  const verdict =
    pausedBy(memory.pause, 'the cluster', world.now()) ??
    (policy.coordinates ? tooSoonAfter(memory.lastRun, world.now(), policy) : undefined)
  if (verdict !== undefined) {
    await release()
    return verdict
  }
  const paused = new AbortController()
  return {
    kind: 'held',
    lost: lock.kind === 'held' ? AbortSignal.any([lock.lost, paused.signal]) : paused.signal,
    ledAtFirst: lock.kind === 'held' ? undefined : leaderOf(view)?.id,
    warnings: [
      ...(host.kind === 'none' ? [`another run on this host would not be noticed: ${host.problem}`] : []),
      ...(lock.kind === 'none' && policy.coordinates
        ? [
            `there is no lock in etcd to keep other nodes' runs away (${lock.problem}); who leads is watched instead`,
          ]
        : []),
    ],
    confirm: async () => {
      if (lock.kind === 'held') await lock.confirm()
      const { pause } = await recall(coordination)
      const now = pausedBy(pause, 'the cluster', world.now())
      if (now !== undefined) paused.abort(`a pause: ${now.because}`)
    },
    leave: async run => {
      const lost = lock.kind === 'held' && lock.lost.aborted
      const problems: string[] = []
      if (policy.coordinates && run !== undefined && !lost) {
        try {
          await coordination.record(run)
        } catch (error) {
          problems.push(`no record of this run is left in etcd: ${describe(faultOf(error))}`)
        }
      }
      return [...problems, ...(await release())]
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
