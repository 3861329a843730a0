import { type Actor, broken } from './actor.js'

/** Takes the members' NOSPACE alarms back, then has etcd take a write: an alarm that is raised again shows there. */
export const disarm: Actor<'disarm'> = async ({ members }, { world }) => {
  try {
    for (const member of members) await world.etcd.disarm(member)
    await world.etcd.proveWrite()
  } catch (error) {
    return broken(error)
  }
  return { kind: 'done', result: { members }, warnings: [] }
}
