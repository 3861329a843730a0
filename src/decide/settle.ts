import type { Fault } from '../model/fault.js'
import { type ClusterView, labelOf, type Member } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { type Circumstances, type Decision, isInDoubt, type Progress } from '../model/step.js'
import { complaintsOf, find, isReachable, lagOf } from './cluster.js'
import { failedDefragment, isUntold, pendingMembers, recordsOf } from './progress.js'

/** Every member this run has touched must be back before anything else is touched. */
export function settled(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  for (const record of recordsOf(progress, 'defragment')) {
    const { member, proof } = record.step
    const problem =
      notBack(view, member, proof, policy) ??
      (isUntold(view, progress, record)
        ? `member ${labelOf(member)} does not say whether it has started anew: its metrics cannot be read`
        : undefined)
    if (problem !== undefined) return waitFor(view, progress, policy, 'settled', problem)
  }
  return undefined
}

/** After a step that touched a member, one good look is not enough; after a call without an answer, a few in a moment are not. */
export function calmed(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  { calmLooks, calmMs }: Circumstances,
): Decision | undefined {
  const last = progress.at(-1)
  if (last?.kind !== 'defragment' && last?.kind !== 'moveLeader') return undefined
  if (calmLooks >= policy.calmLooks && calmMs >= (isInDoubt(last.outcome) ? policy.calmAfterDoubtMs : 0))
    return undefined
  return {
    ...waitFor(view, progress, policy, 'calm', 'leadership or health changes from look to look'),
    calming: true,
  }
}

/** A pause between members that was asked for. */
export function paused(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  { sinceStepMs }: Circumstances,
): Decision | undefined {
  if (progress.at(-1)?.kind !== 'defragment' || sinceStepMs >= policy.pauseMs) return undefined
  if (pendingMembers(view, progress).length === 0) return undefined
  const because = `${policy.pauseMs / 1000} s between one member and the next (--pause)`
  return {
    ...waitFor(view, progress, policy, 'pause', because),
    patienceMs: policy.pauseMs + policy.settleTimeoutMs,
  }
}

function notBack(
  view: ClusterView,
  member: Member,
  proof: 'linearizableRead' | 'status',
  policy: Policy,
): string | undefined {
  const now = find(view, member.id)
  const who = `member ${labelOf(member)}, defragmented in this run,`
  if (now === undefined) return undefined // removed from the cluster: nobody waits for it
  if (!isReachable(now)) return `${who} cannot be reached: ${now.problem}`
  if (proof === 'status') return undefined
  const complaints = complaintsOf(view, now)
  if (complaints.length > 0) return `${who} ${complaints.join(', ')}`
  const lag = lagOf(view, now)
  return lag > policy.maxLag ? `${who} is ${lag} raft entries behind (at most ${policy.maxLag})` : undefined
}

/** Nothing may be touched now. If time runs out, the call that led here is the one to name, if it may have. */
export function waitFor(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  check: string,
  problem: string,
): Extract<Decision, { kind: 'wait' }> {
  const last = progress.at(-1)
  const kind = progress.length === 0 ? 'refused' : 'stopped'
  const other =
    last !== undefined && last.kind !== 'defragment' && 'fault' in last.outcome
      ? last.outcome.fault
      : undefined
  const fault: Fault = failedDefragment(view, progress) ?? other ?? { kind, check, problem }
  return {
    kind: 'wait',
    check,
    because: problem,
    otherwise: { kind: 'stop', verdict: { kind: 'failed', fault } },
    patienceMs: policy.settleTimeoutMs,
    calming: false,
  }
}
