import type { Fault } from '../model/fault.js'
import { type ClusterView, isBeingDefragmented, labelOf, type MemberView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Action, Circumstances, Decision, Progress } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import { checks } from './checks.js'
import { alarmsOf, find, isReachable, labels, lagOf } from './cluster.js'
import { defragmentNext } from './defragmentNext.js'
import { disarm, stillNoSpace } from './disarm.js'
import { leadershipIsOurs, othersAtWork } from './gates.js'
import { refusedMembers } from './leftAlone.js'
import { failedDefragment, pendingMembers, recordsOf } from './progress.js'
import { calmed, paused, settled, waitFor } from './settle.js'

type Rule = (
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances,
) => Decision | undefined

/** Nothing to wait for, nothing known from before; the starting point of a plan. */
export const undisturbed: Circumstances = {
  calmLooks: Number.POSITIVE_INFINITY,
  calmMs: Number.POSITIVE_INFINITY,
  sinceStepMs: Number.POSITIVE_INFINITY,
  earlier: [],
  reign: undefined,
  givenUp: undefined,
}

/**
 * Names the next step from the cluster as it is now and from what this run has done. Pure, and blind to
 * how it came here: leadership may move and members may die between two calls. The first rule that has
 * something to say decides.
 */
export function decide(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances = undisturbed,
): Decision {
  const { givenUp } = circumstances
  if (givenUp !== undefined)
    return lastThing(view, progress, policy, circumstances) ?? { kind: 'stop', verdict: givenUp }
  for (const rule of rules[policy.job]) {
    const decision = rule(view, progress, policy, circumstances)
    if (decision !== undefined) return decision
  }
  return { kind: 'stop', verdict: verdictOf(view, progress, policy, circumstances) }
}

const rules: Readonly<Record<Policy['job'], readonly Rule[]>> = {
  nightly: [
    checked,
    settled,
    leadershipIsOurs,
    othersAtWork,
    calmed,
    paused,
    defragmentNext,
    disarm,
    backUp,
    trim,
  ],
  // A snapshot that a defragmentation overtakes holds its member up, so nobody may be at work here either.
  backup: [backedUp, checked, othersAtWork, backUp],
}

/** After the only step of a backup nothing can go wrong with it any more. */
function backedUp(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances,
): Decision | undefined {
  if (recordsOf(progress, 'snapshot').length === 0) return undefined
  return { kind: 'stop', verdict: verdictOf(view, progress, policy, circumstances) }
}

/**
 * What can still be done where a wait was in vain, and members are left alone from then on: it is the night on which a
 * backup is wanted most, and a local member that is well can give one.
 */
function lastThing(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances,
): Action | undefined {
  const local = find(view, view.local)
  if (progress.length === 0) return undefined
  if (local === undefined || !isReachable(local) || local.read.kind !== 'served') return undefined
  if (isBeingDefragmented(local.metrics) || view.members.some(member => isCorrupt(view, member)))
    return undefined
  if (leadershipIsOurs(view, progress, policy, circumstances) !== undefined) return undefined
  for (const rule of [backUp, trim]) {
    const decision = rule(view, progress, policy)
    if (decision?.kind === 'do')
      return { ...decision, because: 'no member is touched any more, and the local one is well' }
  }
  return undefined
}

/** The preflight checks; once the run has begun, those that must hold before every step. */
function checked(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  const begun = progress.length > 0
  for (const check of checks) {
    if ((begun && check.when === 'start') || check.overridden(policy)) continue
    if (check.only !== undefined && check.only !== policy.job) continue
    const problem = check.problem(view)
    if (problem === undefined) continue
    if (begun) return waitFor(view, progress, policy, check.name, problem)
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
    return waitFor(view, progress, policy, 'localCaughtUp', problem)
  }
  return {
    kind: 'do',
    step: { kind: 'snapshot', from: local.member, path: policy.backupPath, retention: policy.retention },
    because:
      policy.job === 'backup'
        ? 'asked for, and nothing else is'
        : wasDefragmented(progress, local)
          ? `the local member ${labelOf(local.member)} is now as small as it gets`
          : `the local member ${labelOf(local.member)} stays as it is now`,
  }
}

const wasDefragmented = (progress: Progress, { member }: MemberView): boolean =>
  recordsOf(progress, 'defragment').some(
    ({ step, outcome }) => step.member.id === member.id && outcome.kind === 'done',
  )

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
function verdictOf(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Circumstances,
): Verdict {
  const failed = (fault: Fault): Verdict => ({ kind: 'failed', fault })
  const stopped = (check: string, problem: string) => failed({ kind: 'stopped', check, problem })
  const broken = failedDefragment(view, progress)
  if (broken !== undefined) return failed(broken)
  const tooLong = policy.job === 'backup' ? [] : refusedMembers(view, progress, policy, circumstances)
  const pending = pendingMembers(view, progress).filter(
    m => !tooLong.some(({ member }) => member === m.member.id),
  )
  if (pending.length > 0 && policy.job === 'nightly') {
    const moves = recordsOf(progress, 'moveLeader').length
    const tried =
      moves === 0
        ? 'no defragmented, healthy member can take over'
        : `leadership was moved ${moves} times in vain`
    const problem = `the leader ${labels(pending.map(m => m.member))} was not defragmented: ${tried}; run again when the cluster is calm`
    return stopped('leaderMoved', problem)
  }
  const disarming = recordsOf(progress, 'disarm').at(-1)?.outcome
  if (disarming?.kind === 'failed' || disarming?.kind === 'unanswered') return failed(disarming.fault)
  const noSpace = stillNoSpace(view)
  if (noSpace !== undefined && policy.disarms) return stopped('noSpace', noSpace)
  const backup = recordsOf(progress, 'snapshot').at(-1)
  if (backup === undefined && policy.backupPath !== undefined) {
    const local = find(view, view.local)
    const problem =
      local !== undefined && isCorrupt(view, local)
        ? 'the local member has a CORRUPT alarm, so no snapshot of it replaces the previous backup'
        : 'the local member cannot be reached for a snapshot'
    return failed({ kind: 'backup', path: policy.backupPath, problem })
  }
  if (backup?.outcome.kind === 'failed') return failed(backup.outcome.fault)
  if (tooLong.length > 0) return stopped('maxStall', tooLong.map(({ because }) => because).join('; '))
  return { kind: 'completed' }
}
