import type {
  Alarm,
  ClusterView,
  Member,
  MemberId,
  MemberStatus,
  MemberView,
  Metrics,
  Read,
} from '../../src/model/member.js'
import type { Policy } from '../../src/model/policy.js'
import type { StepRecord } from '../../src/model/step.js'

export const idOf = (name: string): MemberId => name as MemberId

export const member = (name: string, learner = false): Member => ({
  id: idOf(name),
  name,
  peerUrls: [`http://${name}:2380`],
  clientUrls: [`http://${name}:2379`],
  learner,
})

export type Likeness = Partial<{
  learner: boolean
  leader: string | undefined
  term: bigint
  applied: bigint
  alarms: readonly Alarm[]
  read: Read
  unreachable: string
  dbSize: number
  version: string
  dbSizeInUse: number
  quota: number
  metrics: Metrics
}>

/** Metrics of a member that has been up for an hour and does nothing special. */
export const metrics = (like: Partial<Extract<Metrics, { kind: 'known' }>> = {}): Metrics => ({
  kind: 'known',
  processStart: 1_000,
  uptimeMs: 3_600_000,
  isDefragmenting: false,
  isReceivingSnapshot: false,
  quota: 2 ** 31,
  ...like,
})

/** A member that nothing is seen of. */
export const unreachable = (subject: Member): MemberView => ({
  kind: 'unreachable',
  member: subject,
  problem: 'no answer',
  metrics: { kind: 'unknown', because: 'no answer' },
})

const INDEX = 10_000n

/** A member as seen: by default a healthy follower of m1 that is half empty. */
export function seen(name: string, like: Likeness = {}): MemberView {
  const subject = member(name, like.learner)
  if (like.unreachable !== undefined)
    return {
      kind: 'unreachable',
      member: subject,
      problem: like.unreachable,
      metrics: like.metrics ?? { kind: 'unknown', because: 'no answer' },
    }
  const leader = 'leader' in like ? like.leader : 'm1'
  const status: MemberStatus = {
    version: like.version ?? '3.5.16',
    dbSize: like.dbSize ?? 200,
    dbSizeInUse: like.dbSizeInUse ?? 100,
    quota: like.quota,
    leader: leader === undefined ? undefined : idOf(leader),
    raftTerm: like.term ?? 7n,
    raftIndex: INDEX,
    raftAppliedIndex: like.applied ?? INDEX,
    alarms: like.alarms ?? [],
    errors: [],
  }
  const asked: Read =
    like.learner === true ? { kind: 'notAsked', because: 'a learner' } : { kind: 'served', tookMs: 1 }
  return {
    kind: 'reachable',
    member: subject,
    endpoint: `http://${name}:2379`,
    status,
    read: like.read ?? asked,
    metrics: like.metrics ?? metrics(),
  }
}

/** Members m1 to m3, of which m1 is local and leads, with changes by name; more members by more names. */
export function cluster(
  changes: Readonly<Record<string, Likeness>> = {},
  names = ['m1', 'm2', 'm3'],
  local = 'm1',
): ClusterView {
  return { clusterId: 'c1', local: idOf(local), members: names.map(name => seen(name, changes[name])) }
}

const retention = { keep: 1, daily: 0, weekly: 0 }

export const policy = (changes: Partial<Policy> = {}): Policy => ({
  job: 'nightly',
  retention,
  forceSingle: false,
  forceUnhealthy: false,
  forceNonleader: false,
  forceVersion: false,
  forceDisk: false,
  waitMs: 0,
  coordinates: true,
  minIntervalMs: 3_600_000,
  pauseMs: 0,
  minUptimeMs: 30_000,
  maxStallMs: 60_000,
  disarms: true,
  backupPath: '/root/etcd-backup.xz',
  dataDir: '/var/lib/etcd',
  trims: true,
  maxLag: 1000n,
  maxMoves: 5,
  calmLooks: 3,
  calmAfterDoubtMs: 1_000,
  settleTimeoutMs: 60_000,
  ...changes,
})

const common = { because: '', startedAt: 0, tookMs: 1 }
const stall = { ms: 1, basis: 'assumed' } as const
const size = { dbSize: 200, dbSizeInUse: 100 }

export const defragmented = (name: string, ended: 'done' | 'unanswered' | 'failed' = 'done'): StepRecord => ({
  ...common,
  kind: 'defragment',
  step: {
    kind: 'defragment',
    member: member(name),
    size,
    processStart: 1_000,
    stall,
    proof: 'linearizableRead',
  },
  outcome:
    ended === 'done'
      ? { kind: 'done', result: { before: size, after: { dbSize: 100, dbSizeInUse: 100 } }, warnings: [] }
      : {
          kind: ended,
          fault: {
            kind: 'etcd',
            call: 'Defragment',
            member: idOf(name),
            problem: 'no answer',
            mayHaveRun: ended === 'unanswered',
            timedOut: ended === 'unanswered',
          },
        },
})

export const moved = (from: string, to: string, ended: 'done' | 'unanswered' = 'done'): StepRecord => ({
  ...common,
  kind: 'moveLeader',
  step: { kind: 'moveLeader', from: member(from), candidates: [member(to)] },
  outcome:
    ended === 'done'
      ? { kind: 'done', result: { to: member(to) }, warnings: [] }
      : {
          kind: ended,
          transferee: idOf(to),
          fault: {
            kind: 'etcd',
            call: 'MoveLeader',
            member: idOf(from),
            problem: 'no answer',
            mayHaveRun: true,
            timedOut: true,
          },
        },
})

export const backedUp = (ended: 'done' | 'failed' = 'done'): StepRecord => ({
  ...common,
  kind: 'snapshot',
  step: { kind: 'snapshot', from: member('m1'), path: '/root/etcd-backup.xz', retention },
  outcome:
    ended === 'failed'
      ? { kind: 'failed', fault: { kind: 'backup', path: '/root/etcd-backup.xz', problem: 'no space left' } }
      : {
          kind: 'done',
          warnings: [],
          result: {
            path: '/root/etcd-backup.xz',
            snapshotBytes: 1056,
            archiveBytes: 100,
            sha256: 'ab'.repeat(32),
            archiveSha256: 'cd'.repeat(32),
            revision: 7,
            totalKeys: 9,
            spooled: true,
            snapshotMs: 1,
            compressMs: 1,
            verifyMs: 1,
          },
        },
})

export const trimmed: StepRecord = {
  ...common,
  kind: 'trim',
  step: { kind: 'trim', path: '/var/lib/etcd' },
  outcome: { kind: 'warned', problem: 'the discard operation is not supported' },
}
