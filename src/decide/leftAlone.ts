import type { ClusterView, Member } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { LeftAlone } from '../model/report.js'
import type { Circumstances, Progress } from '../model/step.js'
import { isReachable } from './cluster.js'
import { tooLongOut } from './forecast.js'
import { pendingMembers, recordsOf } from './progress.js'

/** Members that this run has not defragmented and will not, each with the reason. */
export function leftAlone(
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Pick<Circumstances, 'earlier'>,
): readonly LeftAlone[] {
  if (policy.job === 'backup') return []
  const touched = new Set(recordsOf(progress, 'defragment').map(({ step }) => step.member.id))
  const unfit = view.members.flatMap(m => {
    const because = m.member.learner
      ? 'a learner: etcd serves no Defragment there'
      : isReachable(m)
        ? undefined
        : `cannot be reached: ${m.problem}`
    if (because === undefined || touched.has(m.member.id)) return []
    return [leaveAlone(m.member, because)]
  })
  return [...unfit, ...refusedMembers(view, progress, policy, circumstances)]
}

const leaveAlone = ({ id, name, learner }: Member, because: string): LeftAlone => ({
  member: id,
  name,
  because,
  isLearner: learner,
})

/** Members that would be out for too long. */
export const refusedMembers = (
  view: ClusterView,
  progress: Progress,
  policy: Policy,
  circumstances: Pick<Circumstances, 'earlier'>,
): readonly LeftAlone[] =>
  pendingMembers(view, progress).flatMap(m => {
    const because = tooLongOut(m, progress, policy, circumstances)
    return because === undefined ? [] : [leaveAlone(m.member, because)]
  })
