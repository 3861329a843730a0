import type { Fault } from '../model/fault.js'
import {
  type ClusterView,
  labelOf,
  type Member,
  type MemberId,
  type MemberView,
  type Reachable,
} from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Action, Decision, Progress, RecordOf, Size, StepKind } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import { checks } from './checks.js'
import {
  alarmsOf,
  complaintsOf,
  find,
  isHealthy,
  isReachable,
  labels,
  lagOf,
  leaderOf,
  toleranceOf,
  voters,
} from './cluster.js'

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

/** Every member this run has touched must be back before anything else is touched. */
function settled(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  for (const { step } of recordsOf(progress, 'defragment')) {
    const problem = notBack(view, step.member, step.proof, policy)
    if (problem !== undefined) return waitFor(progress, 'settled', problem)
  }
  return undefined
}

/** After a step that touched a member, one good look is not enough; after a call without an answer, a few are not. */
function calmed(
  _view: ClusterView,
  progress: Progress,
  policy: Policy,
  calmLooks: number,
): Decision | undefined {
  const last = progress.at(-1)
  if (last?.kind !== 'defragment' && last?.kind !== 'moveLeader') return undefined
  const { outcome } = last
  const isInDoubt =
    outcome.kind === 'unanswered' ||
    (outcome.kind === 'failed' && outcome.fault.kind === 'etcd' && outcome.fault.mayHaveRun)
  const wanted = isInDoubt ? policy.calmLooksAfterDoubt : policy.calmLooks
  if (calmLooks >= wanted) return undefined
  return { ...waitFor(progress, 'calm', 'leadership or health changes from look to look'), calming: true }
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

/** Followers first; then the leader, once it leads no more. */
function defragmentNext(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  if (failedDefragment(view, progress) !== undefined) return undefined
  const leader = leaderOf(view)
  const pending = pendingMembers(view, progress)
  const next = pending.find(({ member }) => member.id !== leader?.id)
  if (next !== undefined && leader === undefined) {
    const because = 'there is no leader, so the reachable members are taken one at a time'
    const action = defragment(view, next, because)
    // A quorum without a leader is about to elect one, which nobody may be in the middle of defragmenting.
    const { voters: all, quorum } = toleranceOf(view)
    const isElecting = pending.length > 0 && all > 1 && voters(view).filter(isReachable).length >= quorum
    return isElecting
      ? { kind: 'wait', because: 'no leader is elected yet', otherwise: action, calming: false }
      : action
  }
  if (next !== undefined && leader !== undefined) {
    const because = recordsOf(progress, 'moveLeader').some(record => record.step.from.id === next.member.id)
      ? `it no longer leads, ${labelOf(leader)} does`
      : `a follower, and followers go first: ${labelOf(leader)} leads and keeps serving writes`
    return defragment(view, next, because)
  }
  const [last] = pending
  if (last === undefined) return undefined
  if (voters(view).length === 1)
    return defragment(view, last, 'the only voting member: there is nobody to move leadership to')
  const [first, ...more] = candidates(view, progress, policy)
  if (first === undefined || recordsOf(progress, 'moveLeader').length >= policy.maxMoves) return undefined
  return {
    kind: 'do',
    step: { kind: 'moveLeader', from: last.member, candidates: [first, ...more] },
    because: `${labelOf(last.member)} leads and is still to be defragmented; a leader at it would hold up the whole cluster's writes`,
  }
}

function defragment(view: ClusterView, { member, status }: Reachable, because: string): Action {
  const now = find(view, member.id)
  const proof = now !== undefined && isHealthy(view, now) ? 'linearizableRead' : 'status'
  const { dbSize, dbSizeInUse } = status
  return { kind: 'do', step: { kind: 'defragment', member, size: { dbSize, dbSizeInUse }, proof }, because }
}

/** Voters this run can reach and has not sent a Defragment. */
function pendingMembers(view: ClusterView, progress: Progress): readonly Reachable[] {
  const sent = new Set<MemberId>(recordsOf(progress, 'defragment').map(record => record.step.member.id))
  return voters(view)
    .filter(isReachable)
    .filter(m => !sent.has(m.member.id))
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
  if (policy.trimPath === undefined || recordsOf(progress, 'trim').length > 0) return undefined
  return {
    kind: 'do',
    step: { kind: 'trim', path: policy.trimPath },
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

const recordsOf = <K extends StepKind>(progress: Progress, kind: K): readonly RecordOf<K>[] =>
  progress.filter((record): record is RecordOf<K> => record.kind === kind)

/**
 * A Defragment that etcd answered with an error, whose connection was lost (and the member perhaps with it), or that
 * timed out and left the file as large as it was: no further member is defragmented after it.
 */
function failedDefragment(view: ClusterView, progress: Progress): Fault | undefined {
  for (const { step, outcome } of recordsOf(progress, 'defragment')) {
    if (outcome.kind === 'failed') return outcome.fault
    if (outcome.kind === 'unanswered' && !hasShrunk(view, step.member.id, step.size)) return outcome.fault
  }
  return undefined
}

/** Whether the file is smaller than it was, or had nothing to give back. */
function hasShrunk(view: ClusterView, id: MemberId, { dbSize, dbSizeInUse }: Size): boolean {
  const now = find(view, id)
  if (now === undefined || !isReachable(now)) return false
  return now.status.dbSize < dbSize || dbSize - dbSizeInUse < dbSize / 10
}

/** Nothing may be touched now. If time runs out, the step that led here is the one to name. */
function waitFor(progress: Progress, check: string, problem: string): Extract<Decision, { kind: 'wait' }> {
  const last = progress.at(-1)?.outcome
  const fault: Fault =
    last?.kind === 'unanswered' || last?.kind === 'failed' ? last.fault : { kind: 'stopped', check, problem }
  return {
    kind: 'wait',
    because: problem,
    otherwise: { kind: 'stop', verdict: { kind: 'failed', fault } },
    calming: false,
  }
}
