import type { Alarm, AlarmKind, Member, MemberId, MemberStatus } from '../../model/member.js'

/** etcd's answers as proto-loader gives them: 64-bit numbers are decimal strings (etcd: rpc.proto). */
type Header = Readonly<{ cluster_id: string; member_id: string; revision: string }>
export type StatusAnswer = Readonly<{
  header: Header
  version: string
  dbSize: string
  dbSizeInUse: string
  leader: string
  raftIndex: string
  raftTerm: string
  raftAppliedIndex: string
  errors: readonly string[]
  quota: number | undefined
}>
export type MemberListAnswer = Readonly<{
  header: Header
  members: readonly Readonly<{
    ID: string
    name: string
    peerURLs: readonly string[]
    clientURLs: readonly string[]
    isLearner: boolean
  }>[]
}>

export const idOf = (decimal: string): MemberId => BigInt(decimal).toString(16) as MemberId

export const decimalOf = (id: MemberId): string => BigInt(`0x${id}`).toString()

export const memberOf = (answer: MemberListAnswer['members'][number]): Member => ({
  id: idOf(answer.ID),
  name: answer.name,
  peerUrls: answer.peerURLs,
  clientUrls: answer.clientURLs,
  learner: answer.isLearner,
})

export function statusOf(answer: StatusAnswer): MemberStatus {
  const alarms = answer.errors.map(alarmOf)
  return {
    version: answer.version,
    dbSize: Number(answer.dbSize),
    dbSizeInUse: Number(answer.dbSizeInUse),
    quota: answer.quota,
    leader: answer.leader === '0' ? undefined : idOf(answer.leader),
    raftTerm: BigInt(answer.raftTerm),
    raftIndex: BigInt(answer.raftIndex),
    raftAppliedIndex: BigInt(answer.raftAppliedIndex),
    alarms: alarms.filter(alarm => alarm !== undefined),
    errors: answer.errors.filter((_, i) => alarms[i] === undefined),
  }
}

/**
 * Alarms stand among the errors as `memberID:13803658152347727308 alarm:NOSPACE ` (etcd:
 * server/etcdserver/api/v3rpc/maintenance.go, `Status`). The Alarm call would need a quorum.
 */
function alarmOf(error: string): Alarm | undefined {
  const [, member, kind] = /^memberID:(\d+) alarm:(NOSPACE|CORRUPT)\s*$/.exec(error) ?? []
  return member === undefined ? undefined : { member: idOf(member), kind: kind as AlarmKind }
}
