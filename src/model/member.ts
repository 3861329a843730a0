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
  /** In bytes; etcd tells it from 3.6 on (0 in 3.6.0 to 3.6.5 where the flag is not set, etcd #20790: then undefined). */
  quota: number | undefined
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
  /** `asksForUser`: authentication is on and we gave no user, which says nothing of the member. */
  | { kind: 'failed'; problem: string; asksForUser: boolean }
  | { kind: 'notAsked'; because: string }
>

/** What a member's metrics add, from /metrics at its client URL. */
export type Metrics = Readonly<
  | {
      kind: 'known'
      /** When its process started, in ms since the epoch by the member's own clock; another one after every start. */
      processStart: number | undefined
      /** By the same clock. */
      uptimeMs: number | undefined
      isDefragmenting: boolean
      isReceivingSnapshot: boolean
      quota: number | undefined // bytes
    }
  | { kind: 'unknown'; because: string }
>

export type MemberView = Readonly<
  | {
      kind: 'reachable'
      member: Member
      endpoint: string
      status: MemberStatus
      read: Read
      metrics: Metrics
    }
  /** Its metrics may answer where nothing else does: in a member that is being defragmented. */
  | { kind: 'unreachable'; member: Member; problem: string; metrics: Metrics }
>

export type Reachable = Extract<MemberView, { kind: 'reachable' }>

/** The cluster at one moment, as seen from this node. */
export type ClusterView = Readonly<{
  clusterId: string
  /** The member behind the first endpoint; undefined when nothing answered there and no URL tells. */
  local: MemberId | undefined
  members: readonly MemberView[]
}>

/** By its own metrics; false where nobody knows. */
export const isBeingDefragmented = (metrics: Metrics): boolean =>
  metrics.kind === 'known' && metrics.isDefragmenting

/** What a person calls the member: its name, or its id while it has none. */
export const labelOf = (member: Member): string => (member.name === '' ? member.id : member.name)
