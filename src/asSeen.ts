import type { ClusterView } from './model/member.js'
import type { World } from './model/world.js'

/**
 * Whether every member that was seen to answer is at this moment as it was seen. A look waits for its slowest member, and
 * the locks are asked after it: on a hung member seconds pass, in which another may go out or come to lead.
 */
export async function isAsSeen(world: World, view: ClusterView): Promise<boolean> {
  const answers = await Promise.all(
    view.members.map(async before => {
      if (before.kind === 'unreachable') return true // decided on as it is
      const now = await world.etcd.probe(before.member)
      return (
        now.kind === 'reachable' &&
        now.status.leader === before.status.leader &&
        (before.read.kind !== 'served' || now.read.kind === 'served')
      )
    }),
  )
  return answers.every(isSo => isSo)
}
