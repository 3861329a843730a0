import type { Fault } from '../model/fault.js'
import { type ClusterView, labelOf, type MemberView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Decision, Progress } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import { checks } from './checks.js'
import { alarmsOf, find, isReachable, labels, lagOf } from './cluster.js'
import { defragmentNext } from './defragmentNext.js'
import { failedDefragment, pendingMembers, recordsOf } from './progress.js'
import { calmed, settled, waitFor } from './settle.js'

type Rule = (view: ClusterView, progress: Progress, policy: Policy, calmLooks: number) => Decision | undefined

/**
 * Names the next step from the cluster as it is now and from what this run has done. Pure, and blind to
 * how it came here: leadership may move and members may die between two calls. The first rule that has
 * something to say decides. `calmLooks`: how many looks in a row, this one included, showed a cluster at rest.
 */
export function decide(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  calmLooks = Number.POSITIVE_INFINITY,
): Decision {
  for (const rule of rules) {
    const decision = rule(view, progress, policy, calmLooks)
    if (decision !== undefined) return decision
  }
  return { kind: 'stop', verdict: verdictOf(view, progress, policy) }
}

const rules: readonly Rule[] = [checked, settled, calmed, defragmentNext, backUp, trim]

/** The preflight checks; once the run has begun, those that must hold before every step. */
function checked(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  const begun = progress.length > 0
  for (const check of checks) {
    if ((begun && check.when === 'start') || check.overridden(policy)) continue
    const problem = check.problem(view)
    if (problem === undefined) continue
    if (begun) return waitFor(progress, check.name, problem)
    const verdict: Verdict =
      check.failing === 'skip'
        ? { kind: 'skipped', check: check.name, because: problem }
        : { kind: 'failed', fault: { kind: 'refused', check: check.name, problem } }
    return { kind: 'stop', verdict }
  }
  return undefined
}

function backUp(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  if (policy.backupPath === undefined || recordsOf(progress, 'snapshot').length > 0) return undefined
  const local = find(view, view.local)
  if (local === undefined || !isReachable(local) || isCorrupt(view, local)) return undefined
  const lag = lagOf(view, local)
  if (lag > policy.maxLag) {
    const problem = `the local member ${labelOf(local.member)} is ${lag} raft entries behind (at most ${policy.maxLag}): its snapshot would be old`
    return waitFor(progress, 'localCaughtUp', problem)
  }
  return {
    kind: 'do',
    step: { kind: 'snapshot', from: local.member, path: policy.backupPath },
    because: `the local member ${labelOf(local.member)} is now as small as it gets`,
  }
}

/** A snapshot of damaged data is whole as a file, and worth less than the previous one. */
const isCorrupt = (view: ClusterView, { member }: MemberView): boolean =>
  alarmsOf(view, member.id).includes('CORRUPT')

function trim(_view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  if (!policy.trims || recordsOf(progress, 'trim').length > 0) return undefined
  return {
    kind: 'do',
    step: { kind: 'trim', path: policy.dataDir },
    because: 'the file system there can give the freed blocks back to the disk',
  }
}

/** No rule has anything left to do: how did it go? */
function verdictOf(view: ClusterView, progress: Progress, policy: Policy): Verdict {
  const failed = (fault: Fault): Verdict => ({ kind: 'failed', fault })
  const broken = failedDefragment(view, progress)
  if (broken !== undefined) return failed(broken)
  const pending = pendingMembers(view, progress)
  if (pending.length > 0) {
    const moves = recordsOf(progress, 'moveLeader').length
    const tried =
      moves === 0
        ? 'no defragmented, healthy member can take over'
        : `leadership was moved ${moves} times in vain`
    const problem = `the leader ${labels(pending.map(m => m.member))} was not defragmented: ${tried}; run again when the cluster is calm`
    return failed({ kind: 'stopped', check: 'leaderMoved', problem })
  }
  if (policy.backupPath === undefined) return { kind: 'completed' }
  const backup = recordsOf(progress, 'snapshot').at(-1)
  if (backup === undefined) {
    const local = find(view, view.local)
    const problem =
      local !== undefined && isCorrupt(view, local)
        ? 'the local member has a CORRUPT alarm, so no snapshot of it replaces the previous backup'
        : 'the local member cannot be reached for a snapshot'
    return failed({ kind: 'backup', path: policy.backupPath, problem })
  }
  return backup.outcome.kind === 'failed' ? failed(backup.outcome.fault) : { kind: 'completed' }
}
