import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../src/model/fault.js'
import type { ClusterView, Member } from '../../src/model/member.js'
import type { SnapshotStream } from '../../src/model/world.js'
import { run } from '../../src/run.js'
import { calm, SimulatedCluster } from './simulatedCluster.js'
import { policy } from './views.js'

/** Its first Defragment breaks off, and may begin a moment later; the look after that takes long. */
class Doubtful extends SimulatedCluster {
  brokenAt: number | undefined
  answeredAt = 0
  snapshotAt = 0

  override async defragment({ id }: Member): Promise<void> {
    this.brokenAt = this.now
    const problem = 'read ECONNRESET'
    throw new Failure({
      kind: 'etcd',
      call: 'Defragment',
      member: id,
      problem,
      mayHaveRun: true,
      timedOut: false,
    })
  }

  override async observe(signal: AbortSignal): Promise<ClusterView> {
    const isFirst = this.brokenAt !== undefined && this.answeredAt === 0
    if (isFirst) this.now += 1_500
    const view = await super.observe(signal)
    if (isFirst) this.answeredAt = this.now
    return view
  }

  override async snapshot(from: Member): Promise<SnapshotStream> {
    this.snapshotAt = this.now
    return super.snapshot(from)
  }
}

test('the second of good looks after a Defragment in doubt begins when the first has its answers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-doubt-'))
  try {
    const cluster = new Doubtful({ voters: 3, learners: 0, ...calm, noSpace: false, seed: 1 })
    cluster.leadByLocal()
    const wanted = policy({
      backupPath: join(folder, 'etcd-backup.xz'),
      dataDir: '/nonexistent',
      trims: false,
    })
    const { steps } = await run(cluster.worldWith(), wanted, new AbortController().signal)
    assert.deepEqual(
      steps.map(({ kind, outcome }) => `${kind} ${outcome.kind}`),
      ['defragment failed', 'snapshot done'],
    )
    const passed = cluster.snapshotAt - cluster.answeredAt
    assert.ok(passed >= 1_000 && passed < 2_000, `${passed} ms`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
