import { type Actor, broken } from './actor.js'

/**
 * Asks the leader to hand over to one candidate, drawn at random. An answer proves little (a move to the
 * member that leads already succeeds in silence), so who leads is for the next look at the cluster to say.
 */
export const moveLeader: Actor<'moveLeader'> = async ({ from, candidates }, { world }) => {
  const to = candidates[Math.floor(world.random() * candidates.length)] ?? candidates[0]
  try {
    await world.etcd.moveLeader(from, to.id)
  } catch (error) {
    return { ...broken(error), transferee: to.id }
  }
  return { kind: 'done', result: { to }, warnings: [] }
}
