import { type ClusterView, labelOf, type Member, type MemberId, type Reachable } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Action, Circumstances, Decision, Progress, Stall } from '../model/step.js'
import { isHealthy, isReachable, lagOf, leaderOf, processStartOf, toleranceOf, voters } from './cluster.js'
import { stallOf, tooLongOut } from './forecast.js'
import { notYet } from './gates.js'
import { failedDefragment, pendingMembers, recordsOf } from './progress.js'

/** Followers first; then the leader, once it leads no more. */
export function defragmentNext(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances,
): Decision | undefined {
  if (failedDefragment(view, progress) !== undefined) return undefined
  const leader = leaderOf(view)
  const pending = pendingMembers(view, progress).filter(
    m => tooLongOut(m, progress, policy, circumstances) === undefined,
  )
  const defragment = (subject: Reachable, because: string): Decision =>
    notYet(view, subject, progress, policy) ??
    defragmentation(view, subject, stallOf(subject, progress, circumstances), because)
  const next = pending.find(({ member }) => member.id !== leader?.id)
  if (next !== undefined && leader === undefined) {
    const because = 'there is no leader, so the reachable members are taken one at a time'
    const action = defragment(next, because)
    // A quorum without a leader is about to elect one, which nobody may be in the middle of defragmenting.
    const { voters: all, quorum } = toleranceOf(view)
    const isElecting = all > 1 && voters(view).filter(isReachable).length >= quorum
    if (!isElecting || action.kind === 'wait') return action
    const { settleTimeoutMs: patienceMs } = policy
    return {
      kind: 'wait',
      check: 'leaderElected',
      because: 'no leader is elected yet',
      otherwise: action,
      patienceMs,
      calming: false,
    }
  }
  if (next !== undefined && leader !== undefined) {
    const because = recordsOf(progress, 'moveLeader').some(record => record.step.from.id === next.member.id)
      ? `it no longer leads, ${labelOf(leader)} does`
      : `a follower, and followers go first: ${labelOf(leader)} leads and keeps serving writes`
    return defragment(next, because)
  }
  const [last] = pending
  if (last === undefined) return undefined
  if (voters(view).length === 1)
    return defragment(last, 'the only voting member: there is nobody to move leadership to')
  const [first, ...more] = candidates(view, progress, policy)
  if (first === undefined || recordsOf(progress, 'moveLeader').length >= policy.maxMoves) return undefined
  return {
    kind: 'do',
    step: { kind: 'moveLeader', from: last.member, candidates: [first, ...more] },
    because: `${labelOf(last.member)} leads and is still to be defragmented; a leader at it would hold up the whole cluster's writes`,
  }
}

function defragmentation(view: ClusterView, subject: Reachable, stall: Stall, because: string): Action {
  const { member, status } = subject
  const proof = isHealthy(view, subject) ? 'linearizableRead' : 'status'
  const { dbSize, dbSizeInUse } = status
  const size = { dbSize, dbSizeInUse }
  const processStart = processStartOf(subject)
  return { kind: 'do', step: { kind: 'defragment', member, size, processStart, stall, proof }, because }
}

/** Who may take over: defragmented in this run, healthy, voting, caught up, and not tried in vain. */
function candidates(view: ClusterView, progress: Progress, policy: Policy): readonly Member[] {
  const done = new Set<MemberId>()
  const failed = new Set<MemberId | undefined>()
  for (const record of progress) {
    if (record.kind === 'defragment' && record.outcome.kind !== 'failed') done.add(record.step.member.id)
    if (record.kind !== 'moveLeader') continue
    if (record.outcome.kind === 'failed' || record.outcome.kind === 'unanswered')
      failed.add(record.outcome.transferee)
  }
  return voters(view)
    .filter(isReachable)
    .filter(m => done.has(m.member.id) && !failed.has(m.member.id))
    .filter(m => m.status.leader !== m.member.id && isHealthy(view, m) && lagOf(view, m) <= policy.maxLag)
    .map(m => m.member)
}
