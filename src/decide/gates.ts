import { type ClusterView, isBeingDefragmented, labelOf, type Reachable } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { type Circumstances, type Decision, isInDoubt, type Progress, type Reign } from '../model/step.js'
import { isReachable, lagOf, leaderOf } from './cluster.js'
import { recordsOf } from './progress.js'
import { waitFor } from './settle.js'
import { needsStrictLag } from './versions.js'

/**
 * Where a member that receives a snapshot of the leader while it is defragmented damages itself, it must be nowhere
 * near needing one (etcd #20271); others may be as far behind as after a step.
 */
const STRICT_LAG = 100n

/** Why this member must not be defragmented just now; it may be in a while. */
export function notYet(
  view: ClusterView,
  subject: Reachable,
  progress: Progress,
  policy: Policy,
): Decision | undefined {
  const { member, metrics, status } = subject
  const who = `member ${labelOf(member)}`
  const lag = lagOf(view, subject)
  const maxLag = needsStrictLag(status.version) ? STRICT_LAG : policy.maxLag
  // Without a leader nobody catches up, and nobody is sent a snapshot either.
  if (lag > maxLag && leaderOf(view) !== undefined)
    return waitFor(
      view,
      progress,
      policy,
      'caughtUp',
      `${who} is ${lag} raft entries behind (at most ${maxLag})`,
    )
  if (metrics.kind === 'unknown') return undefined
  if (metrics.isReceivingSnapshot)
    return waitFor(view, progress, policy, 'caughtUp', `${who} is receiving a snapshot from the leader`)
  const missing = policy.minUptimeMs - (metrics.uptimeMs ?? Number.POSITIVE_INFINITY)
  if (missing <= 0) return undefined
  const started = `${who} started less than ${policy.minUptimeMs / 1000} s ago (--min-uptime)`
  const wait = waitFor(view, progress, policy, 'justStarted', started)
  return { ...wait, patienceMs: policy.minUptimeMs + policy.settleTimeoutMs }
}

/** Somebody else defragments a member, by hand or in another run: it is out, whether it still answers or not. */
export function othersAtWork(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  const busy = view.members.find(m => isBeingDefragmented(m.metrics))
  if (busy === undefined) return undefined
  return waitFor(
    view,
    progress,
    policy,
    'othersAtWork',
    `member ${labelOf(busy.member)} is being defragmented already`,
  )
}

/** Who leads, and at which term. */
export const reignAt = (view: ClusterView): Reign => ({ leader: leaderOf(view)?.id, term: termOf(view) })

const termOf = (view: ClusterView): bigint =>
  view.members
    .filter(isReachable)
    .reduce((highest, { status }) => (status.raftTerm > highest ? status.raftTerm : highest), 0n)

/**
 * Without a lock in etcd, leadership that moved by other hands than ours may have set a run on another node to work:
 * this one leaves the rest to whoever that is.
 */
export function leadershipIsOurs(
  view: ClusterView,
  progress: Progress,
  _policy: Policy,
  { reign }: Circumstances,
): Decision | undefined {
  const leader = leaderOf(view)
  if (reign?.leader === undefined || leader === undefined || progress.length === 0) return undefined
  const ours = new Set([reign.leader])
  const moves = recordsOf(progress, 'moveLeader').filter(
    ({ outcome }) => outcome.kind === 'done' || isInDoubt(outcome),
  )
  for (const { outcome } of moves) {
    if (outcome.kind === 'done') ours.add(outcome.result.to.id)
    else if (outcome.kind !== 'warned' && outcome.transferee !== undefined) ours.add(outcome.transferee)
  }
  // A term has one leader (raft, section 5.1), so more terms than moves of ours are elections by other hands.
  const isOurs = ours.has(leader.id) && termOf(view) - reign.term <= BigInt(moves.length)
  if (isOurs) return undefined
  const problem = `leadership has moved to ${labelOf(leader)}, not by this run, and without a lock in etcd a run there could be at work; run again when the cluster is calm`
  return {
    kind: 'stop',
    verdict: { kind: 'failed', fault: { kind: 'stopped', check: 'oneRunner', problem } },
  }
}
