import type { ClusterView } from '../model/member.js'
import { find, isReachable, leaderOf, troubles } from './cluster.js'

/** A linearizable read that takes longer says that a member or its disk is still busy. */
const FAST_READ_MS = 1_000

/**
 * Whether the second of two looks in a row shows a cluster at rest: the same leader at the same term, the same
 * complaints if any, every read fast. One good answer right after a step proves little; a few in a row do.
 */
export function isCalm(before: ClusterView, now: ClusterView): boolean {
  const reads = now.members.filter(isReachable).map(m => m.read)
  return (
    reignOf(before) === reignOf(now) &&
    troubles(before) === troubles(now) &&
    reads.every(read => read.kind !== 'served' || read.tookMs <= FAST_READ_MS)
  )
}

/** Leader and term; without a leader terms go up by themselves. */
function reignOf(view: ClusterView): string {
  const leader = leaderOf(view)
  const seen = find(view, leader?.id)
  const term = seen !== undefined && isReachable(seen) ? seen.status.raftTerm : ''
  return leader === undefined ? '' : `${leader.id} ${term}`
}
