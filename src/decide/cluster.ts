import {
  type ClusterView,
  labelOf,
  type Member,
  type MemberId,
  type MemberView,
  type Reachable,
} from '../model/member.js'

export const isReachable = (view: MemberView): view is Reachable => view.kind === 'reachable'

export const voters = (view: ClusterView): readonly MemberView[] =>
  view.members.filter(m => !m.member.learner)

export const find = (view: ClusterView, id: MemberId | undefined): MemberView | undefined =>
  view.members.find(m => m.member.id === id)

export const labels = (members: readonly Member[]): string => members.map(labelOf).join(', ')

/**
 * The leader: what the reachable voters at the highest term say, if they say one thing and the named
 * member does not deny it. A leader that was cut off lives on at a lower term for an election timeout
 * (raft, section 5.1: at most one leader a term), so the highest term is the one that counts.
 */
export function leaderOf(view: ClusterView): Member | undefined {
  const statuses = voters(view).filter(isReachable)
  const term = statuses.reduce(
    (highest, m) => (m.status.raftTerm > highest ? m.status.raftTerm : highest),
    0n,
  )
  const claims = new Set(statuses.filter(m => m.status.raftTerm === term).map(m => m.status.leader))
  claims.delete(undefined)
  const [claim, ...others] = claims
  if (claim === undefined || others.length > 0) return undefined
  const named = find(view, claim)
  if (named === undefined) return undefined
  // One that cannot be reached from here leads only if its followers get their reads confirmed by it.
  const isConfirmed = isReachable(named)
    ? named.status.leader === claim
    : statuses.some(m => m.read.kind === 'served')
  return isConfirmed ? named.member : undefined
}

/** Raft entries between the highest commit index that any voter knows of and what the member has applied. */
export function lagOf(view: ClusterView, member: Reachable): bigint {
  const committed = voters(view)
    .filter(isReachable)
    .map(m => m.status.raftIndex)
  return committed.reduce((lag, index) => maxOf(lag, index - member.status.raftAppliedIndex), 0n)
}

const maxOf = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** Alarms raised for a member, whoever reports them: the alarm list is replicated. */
export function alarmsOf(view: ClusterView, id: MemberId): readonly string[] {
  const kinds = new Set<string>()
  for (const m of view.members)
    if (isReachable(m)) for (const alarm of m.status.alarms) if (alarm.member === id) kinds.add(alarm.kind)
  return [...kinds]
}

/** By the member's own clock, where its metrics tell. */
export const processStartOf = ({ metrics }: MemberView): number | undefined =>
  metrics.kind === 'known' ? metrics.processStart : undefined

/** The most its database may grow to, in bytes: from its status (etcd 3.6) or its metrics. */
export const quotaOf = ({ status, metrics }: Reachable): number | undefined =>
  status.quota ?? (metrics.kind === 'known' ? metrics.quota : undefined)

/**
 * Why a member counts as unhealthy; empty when it is well. NOSPACE is no reason: it is what a
 * defragmentation cures. `etcdctl endpoint health` counts every alarm and so refuses when it is needed
 * (etcd: etcdctl/ctlv3/command/ep_command.go).
 */
export function complaintsOf(view: ClusterView, subject: MemberView): readonly string[] {
  if (!isReachable(subject)) return [`cannot be reached: ${subject.problem}`]
  const { member, status, read } = subject
  const leader = leaderOf(view)
  const complaints: string[] = []
  if (alarmsOf(view, member.id).includes('CORRUPT')) complaints.push('has a CORRUPT alarm')
  if (status.leader === undefined) complaints.push('sees no leader')
  else if (leader !== undefined && status.leader !== leader.id)
    complaints.push(`follows ${status.leader}, the others ${leader.id}`)
  else if (leader === undefined) complaints.push('does not agree with the others on who leads')
  if (read.kind === 'failed') complaints.push(`fails a linearizable read: ${read.problem}`)
  return complaints
}

export const isHealthy = (view: ClusterView, subject: MemberView): boolean =>
  complaintsOf(view, subject).length === 0

/** Every unhealthy member with its complaints, in a sentence; undefined when all are well. */
export function troubles(view: ClusterView): string | undefined {
  const lines = view.members.flatMap(m => {
    const complaints = complaintsOf(view, m)
    return complaints.length === 0 ? [] : [`member ${labelOf(m.member)} ${complaints.join(', ')}`]
  })
  return lines.length === 0 ? undefined : lines.join('; ')
}

export type Tolerance = Readonly<{ voters: number; healthy: number; quorum: number; further: number }>

/** How many more voters may fail before writes stop; below 0 there is no quorum now. */
export function toleranceOf(view: ClusterView): Tolerance {
  const all = voters(view)
  const healthy = all.filter(m => isHealthy(view, m)).length
  const quorum = Math.floor(all.length / 2) + 1
  return { voters: all.length, healthy, quorum, further: healthy - quorum }
}
