import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Failure } from '../../src/model/fault.js'
import type { ClusterView, Member, MemberId, MemberView } from '../../src/model/member.js'
import type { Policy } from '../../src/model/policy.js'
import type { RunReport } from '../../src/model/report.js'
import { exitCodeOf } from '../../src/model/verdict.js'
import type { SnapshotStream } from '../../src/model/world.js'
import { run } from '../../src/run.js'
import { calm, SimulatedCluster } from './simulatedCluster.js'
import { policy, unreachable } from './views.js'

/** From the end of its first Defragment on, members look as `likeness` says. */
class Changed extends SimulatedCluster {
  readonly stop = new AbortController()
  touched: { id: string; at: number } | undefined
  isBackupUnderWay = false
  likeness: (seen: Extract<MemberView, { kind: 'reachable' }>, isTouched: boolean) => MemberView = seen =>
    seen
  onProbe: (seen: MemberView) => MemberView = seen => seen
  onSnapshot: () => void = () => {}
  onDefragment: (member: Member) => void = () => {}
  onMove: (from: Member) => void = () => {}

  constructor(seed = 1) {
    super({ voters: 3, learners: 0, ...calm, noSpace: false, seed })
    this.leadByLocal()
  }

  /** Since the first Defragment ended. */
  get sinceMs(): number {
    return this.now - (this.touched?.at ?? this.now)
  }

  override async defragment(member: Member): Promise<void> {
    await super.defragment(member)
    this.touched ??= { id: member.id, at: this.now }
    this.onDefragment(member)
  }

  override async observe(signal: AbortSignal): Promise<ClusterView> {
    const view = await super.observe(signal)
    return { ...view, members: view.members.map(seen => this.#now(seen)) }
  }

  override async probe(member: Member): Promise<MemberView> {
    return this.onProbe(this.#now(await super.probe(member)))
  }

  override async moveLeader(from: Member, to: MemberId): Promise<void> {
    this.onMove(from)
    await super.moveLeader(from, to)
  }

  override async snapshot(from: Member): Promise<SnapshotStream> {
    this.isBackupUnderWay = true
    this.onSnapshot()
    return super.snapshot(from)
  }

  #now(seen: MemberView): MemberView {
    if (this.touched === undefined || seen.kind === 'unreachable') return seen
    return this.likeness(seen, seen.member.id === this.touched.id)
  }
}

const unanswered = ({ id }: Member, call = 'Defragment') =>
  new Failure({
    kind: 'etcd',
    call,
    member: id,
    problem: 'no answer within 600 s',
    mayHaveRun: true,
    timedOut: true,
  })
const slowly = (seen: Extract<MemberView, { kind: 'reachable' }>): MemberView => ({
  ...seen,
  read: { kind: 'served', tookMs: 1_100 },
})

const told = ({ verdict, steps }: RunReport): readonly unknown[] => [
  exitCodeOf(verdict),
  ...steps.map(({ kind, outcome }) => `${kind} ${outcome.kind}`),
]
const reasonOf = ({ verdict }: RunReport) => JSON.stringify(verdict)

describe('what was waited for in vain', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-given-up-'))
  })
  after(() => rm(folder, { recursive: true }))

  const ran = (cluster: Changed, changes: Partial<Policy> = {}): Promise<RunReport> => {
    const backupPath = join(folder, 'etcd-backup.xz')
    const wanted = policy({ backupPath, dataDir: '/nonexistent', trims: false, ...changes })
    return run(cluster.worldWith(), wanted, cluster.stop.signal)
  }

  test('a member that is back while the backup is made late is not gone on from, nor is the run a success', async () => {
    const cluster = new Changed()
    cluster.likeness = (seen, isTouched) =>
      isTouched && !cluster.isBackupUnderWay ? unreachable(seen.member) : seen
    const report = await ran(cluster)
    assert.deepEqual(told(report), [76, 'defragment done', 'snapshot done'])
    assert.match(reasonOf(report), /member m2 cannot be reached/)
    assert.ok(cluster.sinceMs > 60_000 && cluster.sinceMs < 62_000, `${cluster.sinceMs} ms`)
  })

  test('readiness that is never seen three times in a row costs no backup either', async () => {
    const cluster = new Changed()
    cluster.likeness = slowly
    const report = await ran(cluster)
    assert.deepEqual(told(report), [76, 'defragment done', 'snapshot done'])
    assert.match(reasonOf(report), /"check":"calm"/)
  })

  test('a signal in the late backup: the reason stays the member that was not back', async () => {
    const cluster = new Changed()
    cluster.likeness = (seen, isTouched) => (isTouched ? unreachable(seen.member) : seen)
    cluster.onSnapshot = () => cluster.stop.abort('SIGTERM')
    const report = await ran(cluster)
    assert.equal(exitCodeOf(report.verdict), 76)
    assert.match(reasonOf(report), /member m2 cannot be reached/)
  })

  test('members that are never as they were seen a moment ago keep no run for ever', async () => {
    const cluster = new Changed()
    cluster.likeness = (seen, isTouched) => (isTouched ? unreachable(seen.member) : seen)
    cluster.onProbe = seen => (cluster.sinceMs > 60_000 ? unreachable(seen.member) : seen)
    const report = await ran(cluster)
    assert.deepEqual(told(report), [76, 'defragment done'])
    assert.match(reasonOf(report), /member m2 cannot be reached/)
    assert.ok(cluster.sinceMs < 130_000, `${cluster.sinceMs} ms`)
  })

  test('a moment of slow reads in a pause that is longer than --settle-timeout ends nothing', async () => {
    const cluster = new Changed()
    cluster.likeness = seen => (cluster.sinceMs > 100_000 && cluster.sinceMs < 102_000 ? slowly(seen) : seen)
    const report = await ran(cluster, { pauseMs: 300_000, minUptimeMs: 0, backupPath: undefined })
    assert.equal(report.verdict.kind, 'completed', reasonOf(report))
  })
})

describe('a call without an answer', () => {
  /** The first one is not answered, and is over at once. */
  const unansweredOnce = () => {
    const cluster = new Changed()
    cluster.onDefragment = member => {
      if (cluster.defragmented.length === 1) throw unanswered(member)
    }
    return cluster
  }
  const wanted = policy({ backupPath: undefined, trims: false })

  test('whose file is smaller afterwards is over, and told so', async () => {
    const cluster = unansweredOnce()
    const report = await run(cluster.worldWith(), wanted, cluster.stop.signal)
    assert.equal(report.verdict.kind, 'completed', reasonOf(report))
    assert.match(report.warnings.join('\n'), /^Defragment: no answer within 600 s; it was over later on$/m)
  })

  test('that the run went on from is not asked for again, even where its member says nothing about itself any more', async () => {
    const cluster = unansweredOnce()
    cluster.likeness = (seen, isTouched) => {
      if (!isTouched) return seen
      const isLater = cluster.defragmented.length > 1
      const { status } = seen
      return {
        ...seen,
        metrics: isLater ? { kind: 'unknown', because: 'no answer' } : seen.metrics,
        status: isLater ? { ...status, dbSize: 100, dbSizeInUse: 100 } : status,
      }
    }
    const report = await run(cluster.worldWith(), wanted, cluster.stop.signal)
    assert.equal(report.verdict.kind, 'completed', reasonOf(report))
  })

  test('is not told as over where it was a move, and the run failed later on', async () => {
    const cluster = new Changed()
    cluster.onMove = from => {
      cluster.onMove = () => {}
      throw unanswered(from, 'MoveLeader')
    }
    cluster.likeness = seen => (cluster.defragmented.length === 3 ? slowly(seen) : seen)
    const report = await run(cluster.worldWith(), wanted, cluster.stop.signal)
    assert.equal(exitCodeOf(report.verdict), 76, reasonOf(report))
    assert.match(report.warnings.join('\n'), /^MoveLeader: no answer within 600 s \(it may still be/m)
  })
})
