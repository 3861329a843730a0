import { find } from './decide/cluster.js'
import { recordsOf } from './decide/progress.js'
import type { ClusterView, Member } from './model/member.js'
import type { Progress, Step } from './model/step.js'
import type { World } from './model/world.js'

/**
 * Whether the members that matter to a step are at this moment as they were seen. A look waits for its slowest member, and
 * the locks are asked after it: on a hung member seconds pass, in which another may go out or come to lead.
 */
export async function isAsSeen(
  world: World,
  view: ClusterView,
  progress: Progress,
  step: Step,
): Promise<boolean> {
  const touched = recordsOf(progress, 'defragment').map(record => record.step)
  const needsRead = new Set(
    touched.filter(({ proof }) => proof === 'linearizableRead').map(({ member }) => member.id),
  )
  const members = new Map([...touched.map(({ member }) => member), ...subjectOf(step)].map(m => [m.id, m]))
  const answers = await Promise.all(
    [...members.values()].map(async member => {
      const before = find(view, member.id)
      if (before?.kind !== 'reachable') return true // decided on as it is
      const now = await world.etcd.probe(member)
      return (
        now.kind === 'reachable' &&
        now.status.leader === before.status.leader &&
        (now.read.kind !== 'failed' || !needsRead.has(member.id))
      )
    }),
  )
  return answers.every(isSo => isSo)
}

function subjectOf(step: Step): readonly Member[] {
  if (step.kind === 'defragment') return [step.member]
  return step.kind === 'moveLeader' ? [step.from] : []
}
