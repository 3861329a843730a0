import type { MemberView } from '../model/member.js'
import type { Size } from '../model/step.js'
import { type Actor, broken } from './actor.js'

/**
 * Sends one Defragment and waits for its answer; a stop signal does not cut it short, since the member
 * would carry on without us (etcd: server/etcdserver/api/v3rpc/maintenance.go ignores the context).
 */
export const defragment: Actor<'defragment'> = async ({ member }, { world, view }) => {
  const before = sizeOf(view.members.find(m => m.member.id === member.id))
  try {
    await world.etcd.defragment(member)
  } catch (error) {
    return broken(error)
  }
  const after = sizeOf(await world.etcd.probe(member))
  return { kind: 'done', result: { before: before ?? { dbSize: 0, dbSizeInUse: 0 }, after }, warnings: [] }
}

const sizeOf = (view: MemberView | undefined): Size | undefined =>
  view?.kind === 'reachable'
    ? { dbSize: view.status.dbSize, dbSizeInUse: view.status.dbSizeInUse }
    : undefined
