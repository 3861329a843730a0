import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Policy } from '../../src/model/policy.js'
import type { RunReport } from '../../src/model/report.js'
import { exitCodeOf } from '../../src/model/verdict.js'
import type { Event } from '../../src/model/world.js'
import { run } from '../../src/run.js'
import { type Scenario, SimulatedCluster } from './simulatedCluster.js'
import { policy as standard } from './views.js'

/** Fewer in the inner loop (`npm run check`), so that it stays one. */
const RUNS = process.env['HURRY'] === 'yes' ? 5_000 : 20_000
/** One run in so many has a backup: compressing for real takes a hundred times as long as all the rest. */
const WITH_BACKUP = 400

const chance = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 0.2, noNaN: true }),
  fc.double({ min: 0, max: 0.7, noNaN: true }),
)
const scenarios: fc.Arbitrary<Scenario> = fc.record({
  voters: fc.oneof(fc.constant(3), fc.constant(5), fc.integer({ min: 1, max: 7 })),
  learners: fc.integer({ min: 0, max: 1 }),
  churn: chance,
  defragmentFaults: chance,
  moveFaults: chance,
  snapshotFaults: chance,
  lockFaults: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.3, noNaN: true })),
  noSpace: fc.nat(9).map(n => n === 0),
  seed: fc.integer(),
})
/** Runs on a node whose member does not lead end soon and teach little. */
const mostly = fc.integer({ min: 0, max: 4 }).map(n => n > 0)
/** At which event a signal comes, in one run of seven. */
const signals = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.nat(30) },
)
const flags = fc.record({
  forceSingle: fc.boolean(),
  forceUnhealthy: fc.boolean(),
  forceNonleader: fc.boolean(),
})

// The longest test: Node.js runs files by their names, and the other core does the rest beside it.
test('whatever dies, moves or answers late, the invariants hold', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-simulation-'))
  const verdicts = new Map<string, number>()
  let count = 0
  try {
    await fc.assert(
      fc.asyncProperty(scenarios, flags, mostly, signals, async (scenario, forced, leads, signalAt) => {
        count += 1
        const archive = count % WITH_BACKUP === 0 ? join(folder, 'etcd-backup.xz') : undefined
        const kind = await oneRun(scenario, forced, leads, signalAt, archive)
        verdicts.set(kind, (verdicts.get(kind) ?? 0) + 1)
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    )
  } finally {
    await rm(folder, { recursive: true })
  }
  // The property would say little if every run ended at the first check.
  for (const kind of ['completed', 'skipped', 'refused', 'stopped', 'etcd', 'interrupted'])
    assert.ok((verdicts.get(kind) ?? 0) > RUNS / 500, `${kind} happened ${verdicts.get(kind)} times`)
})

async function oneRun(
  scenario: Scenario,
  forced: Pick<Policy, 'forceSingle' | 'forceUnhealthy' | 'forceNonleader'>,
  leads: boolean,
  signalAt: number | undefined,
  backupPath: string | undefined,
): Promise<string> {
  const cluster = new SimulatedCluster(scenario)
  if (leads) cluster.leadByLocal()
  cluster.toleratesOthersOut = forced.forceUnhealthy
  const policy: Policy = {
    ...standard({ backupPath, dataDir: '/nonexistent', trims: false, settleTimeoutMs: 10_000 }),
    ...forced,
  }
  const stop = new AbortController()
  let locks = 0
  const events: Event[] = []
  const world = cluster.worldWith({
    lock: async () => {
      locks += 1
      const release = async () => {
        locks -= 1
      }
      return { kind: 'held', lost: new AbortController().signal, release }
    },
    tell: event => {
      events.push(event)
      if (events.length === signalAt) stop.abort('SIGTERM')
    },
  })
  if (backupPath !== undefined) await writeFile(backupPath, 'the last good backup')
  const report = await run(world, policy, stop.signal)
  assert.deepEqual(cluster.violations, [])
  assert.equal(locks, 0, 'the lock of the host was not given back')
  assert.equal(cluster.locks, 0, 'the lock in etcd was not given back')
  const isRecorded = report.steps.length > 0 && !cluster.isLockLost
  assert.equal(cluster.records.length, isRecorded ? 1 : 0, 'the record of the run')
  if (isRecorded) assert.equal(cluster.records[0]?.verdict, report.verdict.kind)
  judge(report, cluster, policy)
  if (backupPath !== undefined) await judgeBackup(report, backupPath)
  return report.verdict.kind === 'failed' ? report.verdict.fault.kind : report.verdict.kind
}

/** Exit code and report tell what truly happened. */
function judge(report: RunReport, cluster: SimulatedCluster, policy: Policy): void {
  const { verdict, steps } = report
  const defragments = steps.filter(record => record.kind === 'defragment')
  assert.deepEqual(
    defragments.map(record => record.step.member.id),
    cluster.defragmented,
  )
  assert.deepEqual(
    defragments.filter(record => record.outcome.kind === 'done').map(record => record.step.member.id),
    cluster.answered,
  )
  const refusedAt = defragments.findIndex(record => record.outcome.kind === 'failed')
  if (refusedAt >= 0)
    assert.equal(refusedAt, defragments.length - 1, 'a member was defragmented after one that failed')
  const nothingTouched =
    verdict.kind === 'skipped' || (verdict.kind === 'failed' && verdict.fault.kind === 'refused')
  if (nothingTouched) assert.equal(steps.length, 0)
  assert.equal(cluster.openStreams, 0, 'a snapshot stream was left open')
  assert.notEqual(verdict.kind === 'failed' && verdict.fault.kind, 'bug', JSON.stringify(verdict))
  assert.equal(exitCodeOf(verdict) === 0, verdict.kind !== 'failed')
  if (verdict.kind !== 'completed') return
  const sent = new Set(cluster.defragmented)
  const expected = policy.forceUnhealthy ? cluster.reachableVoters : cluster.voters
  for (const id of expected) {
    assert.ok(sent.has(id), `completed, and ${id} was not defragmented`)
    assert.ok(cluster.isSmall(id), `completed, and ${id} is as large as before`)
  }
  if (policy.backupPath !== undefined)
    assert.equal(steps.filter(s => s.kind === 'snapshot' && s.outcome.kind === 'done').length, 1)
}

/** The last good backup is there unless a newer, verified one took its place; nothing else is. */
async function judgeBackup(report: RunReport, path: string): Promise<void> {
  const isNew = report.steps.some(s => s.kind === 'snapshot' && s.outcome.kind === 'done')
  const isOld = (await readFile(path)).toString().startsWith('the last good backup')
  assert.equal(isOld, !isNew)
  const folder = join(path, '..')
  const names = (await readdir(folder)).sort()
  // The last one was nobody's we know, so that it has a name of its own now.
  const aside = isNew ? names.shift() : undefined
  if (aside !== undefined)
    assert.equal(await readFile(join(folder, aside), 'utf8'), 'the last good backup', aside)
  assert.deepEqual(names, isNew ? ['etcd-backup.xz', 'etcd-backup.xz.json'] : ['etcd-backup.xz'])
  for (const name of await readdir(folder)) await rm(join(folder, name))
}
