/** A member's 64-bit id as etcdctl prints it: lower-case hex, no leading zeros. */
export type MemberId = string & { readonly __brand: 'MemberId' }

/** One row of etcd's member list (etcd: api/etcdserverpb/rpc.proto, `Member`). */
export type Member = Readonly<{
  id: MemberId
  /** Empty until the member has started for the first time. */
  name: string
  peerUrls: readonly string[]
  /** Empty until the member has started for the first time. */
  clientUrls: readonly string[]
  learner: boolean
}>

export type AlarmKind = 'NOSPACE' | 'CORRUPT'
export type Alarm = Readonly<{ member: MemberId; kind: AlarmKind }>

/** What a member says of itself (etcd: api/etcdserverpb/rpc.proto, `StatusResponse`). */
export type MemberStatus = Readonly<{
  version: string
  dbSize: number // bytes
  dbSizeInUse: number // bytes
  leader: MemberId | undefined
  raftTerm: bigint
  raftIndex: bigint // committed
  raftAppliedIndex: bigint
  alarms: readonly Alarm[]
  /** Everything else the member complains of, such as `etcdserver: no leader`. */
  errors: readonly string[]
}>

/**
 * How a member answered a linearizable read. `served` proves that it has applied everything that was
 * committed when the read began (etcd: server/etcdserver/v3_server.go, `linearizableReadLoop`).
 */
export type Read = Readonly<
  | { kind: 'served'; tookMs: number }
  | { kind: 'failed'; problem: string }
  | { kind: 'notAsked'; because: string }
>

export type MemberView = Readonly<
  | { kind: 'reachable'; member: Member; endpoint: string; status: MemberStatus; read: Read }
  | { kind: 'unreachable'; member: Member; problem: string }
>

export type Reachable = Extract<MemberView, { kind: 'reachable' }>

/** The cluster at one moment, as seen from this node. */
export type ClusterView = Readonly<{
  clusterId: string
  /** The member behind the first endpoint; undefined when nothing answered there and no URL tells. */
  local: MemberId | undefined
  members: readonly MemberView[]
}>

/** What a person calls the member: its name, or its id while it has none. */
export const labelOf = (member: Member): string => (member.name === '' ? member.id : member.name)
