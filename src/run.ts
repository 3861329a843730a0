import { checkRoom } from './act/dataDir.js'
import { perform } from './act/index.js'
import { checkTarget } from './backup/files.js'
import { isCalm } from './decide/calm.js'
import { cautions } from './decide/cautions.js'
import { find, leftAlone } from './decide/cluster.js'
import { decide } from './decide/decide.js'
import { describe, faultOf } from './model/fault.js'
import type { ClusterView } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { RunReport } from './model/report.js'
import type { Progress } from './model/step.js'
import type { Verdict } from './model/verdict.js'
import type { HostLock, World } from './model/world.js'

/** Between two looks: at members that are not ready yet, and at members that seem to be. */
const POLL_MS = 100
const CALMING_POLL_MS = 20

/**
 * One run: look, decide, do one step, look again. Never throws: whatever happens is in the report.
 * When `stop` is aborted (its reason is the signal's name), a step that etcd would carry on with anyway
 * is waited for, any other is undone, and no further one begins.
 */
export async function run(world: World, policy: Policy, stop: AbortSignal): Promise<RunReport> {
  const startedAt = world.now()
  let before: ClusterView | undefined
  let after: ClusterView | undefined
  let progress: Progress = []
  let lock: HostLock | undefined
  let calmLooks = 0
  let waiting: { since: number; because: string } | undefined

  const end = (verdict: Verdict): RunReport => {
    const touched = new Set(
      progress.flatMap(({ kind, step }) => (kind === 'defragment' ? [step.member.id] : [])),
    )
    const alone = after === undefined ? [] : leftAlone(after).filter(({ member }) => !touched.has(member))
    const warnings = [
      ...(before === undefined || verdict.kind === 'skipped' ? [] : cautions(before, policy)),
      ...(lock?.kind === 'none' ? [`another run on this host would not be noticed: ${lock.problem}`] : []),
      ...warned(progress, verdict),
    ]
    const report = {
      startedAt,
      endedAt: world.now(),
      verdict,
      steps: progress,
      before,
      after,
      leftAlone: alone,
      warnings,
    }
    world.tell({ event: 'ended', report })
    return report
  }

  try {
    for (;;) {
      stop.throwIfAborted()
      const view = await world.etcd.observe(stop)
      calmLooks = after !== undefined && isCalm(after, view) ? calmLooks + 1 : 1
      before ??= view
      after = view
      const decision = decide(view, progress, policy, calmLooks)
      if (decision.kind === 'wait') {
        if (waiting?.because !== decision.because && !decision.calming)
          world.tell({ event: 'waiting', because: decision.because })
        waiting = { since: waiting?.since ?? world.now(), because: decision.because }
        if (world.now() - waiting.since < policy.settleTimeoutMs) {
          await world.sleep(decision.calming ? CALMING_POLL_MS : POLL_MS)
          continue
        }
      }
      const action = decision.kind === 'wait' ? decision.otherwise : decision
      world.tell({ event: 'decided', action })
      if (action.kind === 'stop') return end(action.verdict)
      if (lock === undefined) {
        await checkDisks(view, policy)
        lock = await world.lock(view.clusterId, policy.waitMs, stop)
        if (lock.kind === 'busy') return end(elsewhere(lock.by))
        continue // the last look may be older than the end of another run
      }
      waiting = undefined
      progress = [...progress, await perform(action, { world, view, stop })]
      calmLooks = 0
    }
  } catch (error) {
    // A member whose call is still open is worth more words than the signal that came meanwhile.
    const last = progress.at(-1)?.outcome
    const fault =
      last?.kind === 'unanswered'
        ? last.fault
        : stop.aborted
          ? ({ kind: 'interrupted', by: String(stop.reason) } as const)
          : faultOf(error)
    return end({ kind: 'failed', fault })
  } finally {
    if (lock?.kind === 'held') await lock.release()
  }
}

const elsewhere = (by: string): Verdict => ({
  kind: 'skipped',
  check: 'oneRunner',
  because: `another run, process ${by}, is at this cluster on this host; wait for it with --wait 1h`,
})

/** Throws where the disks of this node do not permit a run, before anything is touched: `backup` or `refused`. */
export async function checkDisks(
  view: ClusterView,
  { backupPath, dataDir, forceDisk }: Policy,
): Promise<void> {
  if (backupPath !== undefined) await checkTarget(backupPath)
  const local = find(view, view.local)
  if (!forceDisk && local?.kind === 'reachable') await checkRoom(dataDir, local.status.dbSizeInUse)
}

/** What the steps have to say that does not decide the verdict. */
const warned = (progress: Progress, verdict: Verdict): readonly string[] =>
  progress.flatMap(({ outcome }) => {
    switch (outcome.kind) {
      case 'done':
        return outcome.warnings
      case 'warned':
        return [outcome.problem]
      case 'unanswered':
      case 'failed': {
        const { fault } = outcome
        if (verdict.kind === 'failed' && verdict.fault === fault) return []
        // The run went on, and it does so only where the member was ready again.
        const isBack = fault.kind === 'etcd' && outcome.kind === 'unanswered'
        return [isBack ? `${fault.call}: ${fault.problem}; it was over later on` : describe(fault)]
      }
    }
  })
