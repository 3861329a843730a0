import { type ClusterView, labelOf, type Member, type MemberId, type Reachable } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Decision, Progress } from '../model/step.js'
import { find, isReachable, quotaOf } from './cluster.js'
import { recordsOf } from './progress.js'

type NoSpace = Readonly<{ member: Member; problem: string | undefined }>

/** Members with a NOSPACE alarm, and what each still lacks to have it taken back; one that was removed lacks nothing. */
export const noSpaceOf = (view: ClusterView): readonly NoSpace[] => {
  const raised = view.members.filter(isReachable).flatMap(m => m.status.alarms)
  const ids = new Set(raised.filter(({ kind }) => kind === 'NOSPACE').map(({ member }) => member))
  return [...ids].map(id => {
    const m = find(view, id)
    if (m === undefined) return { member: removed(id), problem: undefined }
    return { member: m.member, problem: isReachable(m) ? overQuota(m) : 'it cannot be reached' }
  })
}

/** etcd keeps the alarm of a member that is no more, and takes no writes because of it. */
const removed = (id: MemberId): Member => ({ id, name: '', peerUrls: [], clientUrls: [], learner: false })

function overQuota(subject: Reachable): string | undefined {
  const { dbSize } = subject.status
  const quota = quotaOf(subject)
  if (quota === undefined)
    return `its quota is not known (${subject.metrics.kind === 'unknown' ? subject.metrics.because : 'no metric tells'})`
  return dbSize < quota ? undefined : `its file of ${dbSize} bytes is not below its quota of ${quota}`
}

/** Once everything is defragmented, alarms whose members are below their quota are taken back, and no others. */
export function disarm(view: ClusterView, progress: Progress, policy: Policy): Decision | undefined {
  if (!policy.disarms || recordsOf(progress, 'disarm').length > 0) return undefined
  const [first, ...more] = noSpaceOf(view)
    .filter(({ problem }) => problem === undefined)
    .map(({ member }) => member)
  if (first === undefined) return undefined
  return {
    kind: 'do',
    step: { kind: 'disarm', members: [first, ...more] },
    because: 'below the quota now, so that nothing but the alarm keeps etcd from taking writes',
  }
}

/** The NOSPACE alarms that are still there, with what to do about them; undefined when there is none. */
export function stillNoSpace(view: ClusterView): string | undefined {
  const lines = noSpaceOf(view).map(
    ({ member, problem }) => `member ${labelOf(member)} has a NOSPACE alarm${problem ? `: ${problem}` : ''}`,
  )
  if (lines.length === 0) return undefined
  return `${lines.join('; ')}; etcd takes no writes until it is gone: delete or compact what is not needed or raise --quota-backend-bytes, defragment, then etcdctl alarm disarm`
}
