import { backUp } from '../backup/backUp.js'
import { describe, faultOf } from '../model/fault.js'
import type { Actor } from './actor.js'

/** Backs the local member up to a verified archive; whatever fails, the previous archive is still there. */
export const snapshot: Actor<'snapshot'> = async (step, { world, view, stop }) => {
  const source = view.members.find(m => m.member.id === step.from.id)
  const expectedBytes = source?.kind === 'reachable' ? source.status.dbSize : 0
  try {
    const { result, warnings } = await backUp({
      path: step.path,
      expectedBytes,
      retention: step.retention,
      about: {
        tool: world.tool,
        host: world.host,
        cluster: { id: view.clusterId, members: view.members.map(({ member }) => member) },
        member: { id: step.from.id, name: step.from.name },
      },
      open: () => world.etcd.snapshot(step.from, stop),
      now: world.now,
      signal: stop,
      tell: (phase, bytes, of) => world.tell({ event: 'stepProgress', step, phase, bytes, of }),
    })
    return { kind: 'done', result, warnings }
  } catch (error) {
    stop.throwIfAborted()
    const fault = faultOf(error)
    return {
      kind: 'failed',
      fault: fault.kind === 'etcd' ? { kind: 'backup', path: step.path, problem: describe(fault) } : fault,
    }
  }
}
