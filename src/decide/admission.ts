import { type LastRun, type Pause, timeOf } from '../model/coordination.js'
import type { Policy } from '../model/policy.js'
import type { Verdict } from '../model/verdict.js'

/** How far the clocks of two nodes may be apart. */
const SKEW_MS = 60_000

type Skipped = Extract<Verdict, { kind: 'skipped' }>

/** Whether an operator's pause holds a run off; `now` is ms since the epoch. */
export function pausedBy(
  pause: Pause | undefined,
  scope: 'cluster' | 'node',
  now: number,
): Skipped | undefined {
  if (pause === undefined || pause.until <= now) return undefined
  const reason = pause.reason === '' ? '' : `: ${pause.reason}`
  return {
    kind: 'skipped',
    check: 'paused',
    because: `${scope === 'node' ? 'this node' : 'the cluster'} is paused until ${timeOf(pause.until)} by ${pause.by}${reason}; end it with etcd-defrag resume --scope ${scope}`,
  }
}

/**
 * Whether the job was done so recently that there is nothing to gain: the timers of all nodes fire at once, and
 * leadership moves in mid-run to a node whose timer may be late. One that had no backup or left members out has left
 * something to do; a record from the future tells of a clock and no more.
 */
export function tooSoonAfter(lastRun: LastRun | undefined, now: number, policy: Policy): Skipped | undefined {
  if (policy.job === 'backup') return undefined
  if (lastRun === undefined || lastRun.verdict !== 'completed' || lastRun.leftAlone > 0) return undefined
  if (policy.backupPath !== undefined && lastRun.backup === undefined) return undefined
  const ago = now - lastRun.endedAt
  if (ago >= policy.minIntervalMs || ago < -SKEW_MS) return undefined
  return {
    kind: 'skipped',
    check: 'minInterval',
    because: `the last run completed ${Math.max(0, Math.round(ago / 1000))} s ago on ${lastRun.by}, at ${timeOf(lastRun.endedAt)}; one so soon again is asked for with --min-interval 0s`,
  }
}
