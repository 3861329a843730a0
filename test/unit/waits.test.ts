import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterView, Member, MemberView } from '../../src/model/member.js'
import { exitCodeOf } from '../../src/model/verdict.js'
import { run } from '../../src/run.js'
import { calm, SimulatedCluster } from './simulatedCluster.js'
import { metrics, policy, unreachable } from './views.js'

const calmCluster = { voters: 3, learners: 0, ...calm, noSpace: false, seed: 1 } as const
const wanted = (minUptimeMs: number) =>
  policy({ backupPath: undefined, trims: false, minUptimeMs, settleTimeoutMs: 60_000 })

/** Somebody ends the run while members are asked whether they are as they were seen. */
class Ending extends SimulatedCluster {
  readonly stop = new AbortController()

  override async probe(member: Member): Promise<MemberView> {
    this.stop.abort('SIGTERM')
    return super.probe(member)
  }
}

test('no step begins after a signal that came while members were asked once more', async () => {
  const cluster = new Ending(calmCluster)
  cluster.leadByLocal()
  const { verdict, steps } = await run(cluster.worldWith(), wanted(0), cluster.stop.signal)
  assert.deepEqual(steps, [])
  assert.equal(verdict.kind === 'failed' && verdict.fault.kind, 'interrupted')
})

const PHASE_MS = 20_000

/** After the first Defragment another member starts, and ends 20 s later, and starts again, and so on. */
class Flapping extends SimulatedCluster {
  since: number | undefined

  override async defragment(member: Member): Promise<void> {
    await super.defragment(member)
    this.since ??= this.now
  }

  override async observe(signal: AbortSignal): Promise<ClusterView> {
    const view = await super.observe(signal)
    return { ...view, members: view.members.map(seen => this.#seenNow(seen)) }
  }

  #seenNow(seen: MemberView): MemberView {
    const isFirst = this.defragmented.includes(seen.member.id) || seen.kind === 'unreachable'
    if (this.since === undefined || isFirst || seen.status.leader === seen.member.id) return seen
    const phase = Math.floor((this.now - this.since) / PHASE_MS)
    if (phase % 2 === 1) return { ...seen, metrics: metrics({ uptimeMs: 5_000 }) }
    return unreachable(seen.member)
  }
}

test('a member that starts and ends again and again does not keep a run for ever', async () => {
  const cluster = new Flapping(calmCluster)
  cluster.leadByLocal()
  const { verdict, steps } = await run(cluster.worldWith(), wanted(30_000), new AbortController().signal)
  assert.deepEqual(
    steps.map(({ kind, outcome }) => `${kind} ${outcome.kind}`),
    ['defragment done'],
  )
  assert.equal(exitCodeOf(verdict), 76)
  const waited = cluster.now - (cluster.since ?? cluster.now)
  assert.ok(waited > 60_000 && waited <= 220_000, `${waited} ms`)
})
