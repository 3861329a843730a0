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
    const outcome = broken(error)
    // Leadership had moved by itself since the last look: that is nothing against the candidate.
    const isOver = outcome.fault.kind === 'etcd' && /not leader/.test(outcome.fault.problem)
    return isOver ? outcome : { ...outcome, transferee: to.id }
  }
  return { kind: 'done', result: { to }, warnings: [] }
}
