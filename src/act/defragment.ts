import { type Actor, broken } from './actor.js'

/**
 * Sends one Defragment and waits for its answer; a stop signal does not cut it short, since the member
 * would carry on without us (etcd: server/etcdserver/api/v3rpc/maintenance.go ignores the context).
 */
export const defragment: Actor<'defragment'> = async ({ member, size }, { world }) => {
  try {
    await world.etcd.defragment(member)
  } catch (error) {
    return broken(error)
  }
  const now = await world.etcd.probe(member)
  const after =
    now.kind === 'reachable' ? { dbSize: now.status.dbSize, dbSizeInUse: now.status.dbSizeInUse } : undefined
  return { kind: 'done', result: { before: size, after }, warnings: [] }
}
