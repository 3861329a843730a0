import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pausedBy, tooSoonAfter } from '../../src/decide/admission.js'
import { cautions } from '../../src/decide/cautions.js'
import { decide, undisturbed } from '../../src/decide/decide.js'
import { stillNoSpace } from '../../src/decide/disarm.js'
import { pacesOf, stallOf } from '../../src/decide/forecast.js'
import { leftAlone } from '../../src/decide/leftAlone.js'
import { planOf } from '../../src/decide/plan.js'
import type { LastRun } from '../../src/model/coordination.js'
import type { ClusterView, Reachable } from '../../src/model/member.js'
import type { Policy } from '../../src/model/policy.js'
import type { Circumstances, Decision, Progress, StepRecord } from '../../src/model/step.js'
import { backedUp, cluster, defragmented, idOf, metrics, moved, policy, seen, trimmed } from './views.js'

/** Why the run waits or ends, or the step it takes. */
function said(decision: Decision): string {
  if (decision.kind === 'wait') return `wait: ${decision.because}`
  if (decision.kind === 'do') return decision.step.kind
  const { verdict } = decision
  if (verdict.kind !== 'failed') return verdict.kind
  const { fault } = verdict
  return fault.kind === 'stopped' || fault.kind === 'refused'
    ? `${fault.check}: ${fault.problem}`
    : fault.kind
}

const next = (
  view: ClusterView,
  progress: Progress = [],
  changes: Partial<Policy> = {},
  circumstances: Partial<Circumstances> = {},
) => decide(view, progress, policy(changes), { ...undisturbed, ...circumstances })

const MIB = 1024 * 1024
const noSpace = (...names: string[]) => names.map(name => ({ member: idOf(name), kind: 'NOSPACE' as const }))
const followers = [defragmented('m2'), defragmented('m3')]
const all = [...followers, moved('m1', 'm2'), defragmented('m1')]

describe('a member is left to itself for a while', () => {
  test('when it is behind', () => {
    assert.match(
      said(next(cluster({ m2: { applied: 8_000n } }))),
      /^wait: member m2 is 2000 raft entries behind/,
    )
    assert.equal(said(next(cluster({ m2: { applied: 9_000n, version: '3.5.23' } }))), 'defragment')
  })

  test('when it is a little behind and its version damages itself by a snapshot of the leader', () => {
    for (const version of ['3.4.37', '3.5.22', '3.6.4']) {
      assert.match(
        said(next(cluster({ m2: { applied: 9_899n, version } }))),
        /101 raft entries behind \(at most 100\)/,
      )
      assert.equal(said(next(cluster({ m2: { applied: 9_900n, version } }))), 'defragment')
    }
    for (const version of ['3.4.38', '3.5.23', '3.6.5'])
      assert.equal(said(next(cluster({ m2: { applied: 9_899n, version } }))), 'defragment')
  })

  test('when it receives a snapshot', () => {
    const view = cluster({ m2: { metrics: metrics({ isReceivingSnapshot: true }) } })
    assert.match(said(next(view)), /^wait: member m2 is receiving a snapshot from the leader/)
  })

  test('when it has just started; the wait is long enough for it, and a plan says so', () => {
    const view = cluster({ m2: { metrics: metrics({ uptimeMs: 12_000 }) } })
    const decision = next(view)
    assert.match(said(decision), /^wait: member m2 started less than 30 s ago \(--min-uptime\)/)
    assert.equal(decision.kind === 'wait' && decision.patienceMs, 90_000)
    assert.equal(said(next(view, [], { minUptimeMs: 0 })), 'defragment')
    assert.match(planOf(view, policy()).waits.join(), /member m2 started less than 30 s ago/)
    assert.equal(planOf(view, policy()).steps.length, 6)
  })

  test('and a plan tells what a run would wait for, and what it would do then', () => {
    const view = cluster({ m2: { applied: 1n }, m3: { metrics: metrics({ isDefragmenting: true }) } })
    const plan = planOf(view, policy())
    assert.deepEqual(plan.waits, ['member m3 is being defragmented already'])
    assert.equal(plan.steps.length, 6)
    assert.match(
      planOf(cluster({ m2: { applied: 1n } }), policy()).waits.join(),
      /^member m2 is 9999 raft entries behind/,
    )
  })

  test('when somebody else defragments a member', () => {
    const view = cluster({ m3: { metrics: metrics({ isDefragmenting: true }) } })
    assert.match(said(next(view)), /^wait: member m3 is being defragmented already/)
    const hung = { unreachable: 'no answer', metrics: metrics({ isDefragmenting: true }) }
    assert.match(said(next(cluster({ m3: hung }), [], { forceUnhealthy: true })), /^wait: member m3 is being/)
  })

  test('a wait before the first step that comes to nothing refuses, a later one stops', () => {
    const view = cluster({ m3: { applied: 1n } })
    const fault = (progress: Progress) => {
      const decision = next(view, progress)
      const action = decision.kind === 'wait' ? decision.otherwise : decision
      return action.kind === 'stop' && action.verdict.kind === 'failed' && action.verdict.fault.kind
    }
    assert.equal(fault([defragmented('m2')]), 'stopped')
    assert.equal(next(cluster({ m2: { applied: 1n } })).kind, 'wait')
    const decision = next(cluster({ m2: { applied: 1n } }))
    assert.match(JSON.stringify(decision.kind === 'wait' && decision.otherwise), /"kind":"refused"/)
  })

  test('for as long as --pause says, between members and not after the last', () => {
    const at = (progress: Progress, sinceStepMs: number) =>
      said(next(cluster(), progress, { pauseMs: 5_000 }, { sinceStepMs }))
    assert.equal(at([], 0), 'defragment')
    assert.match(at([defragmented('m2')], 4_999), /^wait: 5 s between one member and the next/)
    assert.equal(at([defragmented('m2')], 5_000), 'defragment')
    assert.match(at(followers, 0), /^wait/)
    const toM2 = cluster({ m1: { leader: 'm2' }, m2: { leader: 'm2' }, m3: { leader: 'm2' } })
    assert.equal(said(next(toM2, all, { pauseMs: 5_000 }, { sinceStepMs: 0 })), 'snapshot')
  })
})

describe('how long a member will be out', () => {
  const large = (name: string, dbSizeInUse: number) =>
    seen(name, { dbSizeInUse, dbSize: 2 * dbSizeInUse }) as Reachable
  const took = (record: StepRecord, tookMs: number, copied: number): StepRecord =>
    record.kind !== 'defragment'
      ? record
      : {
          ...record,
          tookMs,
          outcome: {
            kind: 'done',
            result: { before: record.step.size, after: { dbSize: copied, dbSizeInUse: copied } },
            warnings: [],
          },
        }
  const pace = (member: string, bytes: number, tookMs: number) => ({ member: idOf(member), bytes, tookMs })
  const ofM2 = (progress: Progress, ...earlier: ReturnType<typeof pace>[]) =>
    stallOf(large('m2', 400 * MIB), progress, { earlier })

  test('is by the slowest of this run and its own last time, else by the slowest last time, else assumed', () => {
    const run = [took(defragmented('m1'), 1_000, 100 * MIB), took(defragmented('m3'), 2_000, 100 * MIB)]
    assert.deepEqual(ofM2(run, pace('m2', 100 * MIB, 1_000)), { ms: 8_000, basis: 'thisRun' })
    assert.deepEqual(ofM2(run, pace('m2', 100 * MIB, 9_000)), { ms: 36_000, basis: 'lastRun' })
    assert.deepEqual(ofM2([], pace('m3', 100 * MIB, 9_000), pace('m2', 100 * MIB, 1_000)), {
      ms: 4_000,
      basis: 'lastRun',
    })
    assert.deepEqual(ofM2([], pace('m3', 100 * MIB, 3_000)), { ms: 12_000, basis: 'lastRun' })
    assert.deepEqual(ofM2([]), { ms: Math.ceil((400 * MIB) / 40_000), basis: 'assumed' })
  })

  test('is not told from a few megabytes, nor from a call that failed; one without an answer took longer than it was waited for', () => {
    assert.equal(ofM2([took(defragmented('m3'), 500, MIB)]).basis, 'assumed')
    assert.deepEqual(pacesOf([defragmented('m3', 'failed')]), [])
    assert.deepEqual(pacesOf([defragmented('m3', 'unanswered')]), [{ member: 'm3', bytes: 100, tookMs: 1 }])
    assert.equal(ofM2([], pace('m2', MIB, 500)).basis, 'assumed')
  })

  test('above --max-stall it is left alone and named, the others and the backup are done, and the run fails', () => {
    const like = { dbSize: 8_000 * MIB, dbSizeInUse: 4_000 * MIB }
    const view = cluster({ m2: like })
    const plan = planOf(view, policy())
    assert.deepEqual(
      plan.steps.map(({ step }) => step.kind),
      ['defragment', 'moveLeader', 'defragment', 'snapshot', 'trim'],
    )
    assert.ok(plan.steps.every(({ step }) => step.kind !== 'defragment' || step.member.name !== 'm2'))
    assert.match(plan.leftAlone[0]?.because ?? '', /m2 would be out for about 105 s .*none was measured yet/)
    assert.match(JSON.stringify(plan.verdict), /maxStall.*60 s of --max-stall/)
    assert.equal(planOf(view, policy({ maxStallMs: 120_000 })).verdict.kind, 'completed')
    const measured = [took(defragmented('m3'), 1_000, 100 * MIB)]
    assert.deepEqual(leftAlone(view, measured, policy(), undisturbed), [])
    assert.match(
      leftAlone(view, [took(defragmented('m3'), 2_000, 100 * MIB)], policy(), undisturbed)[0]?.because ?? '',
      /80 s .*slowest pace of this run/,
    )
  })
})

describe('a NOSPACE alarm', () => {
  const done = [...all]
  const afterwards = (changes: Parameters<typeof cluster>[0]) => {
    const leads = { leader: 'm2' }
    return cluster({
      m1: { ...leads, ...changes?.['m1'] },
      m2: { ...leads, ...changes?.['m2'] },
      m3: { ...leads, ...changes?.['m3'] },
    })
  }

  test('is taken back once its member is below its quota, others are not', () => {
    const view = afterwards({
      m1: { alarms: noSpace('m1', 'm3'), dbSize: 100, metrics: metrics({ quota: 150 }) },
      m3: { dbSize: 160, metrics: metrics({ quota: 150 }) },
    })
    const decision = next(view, done)
    assert.deepEqual(
      decision.kind === 'do' && decision.step.kind === 'disarm' && decision.step.members.map(m => m.name),
      ['m1'],
    )
    assert.match(
      stillNoSpace(view) ?? '',
      /m3 has a NOSPACE alarm: its file of 160 bytes is not below its quota of 150/,
    )
  })

  test('stays while members are still to be defragmented, and with --no-disarm', () => {
    const view = cluster({ m1: { alarms: noSpace('m1'), metrics: metrics({ quota: 300 }) } })
    assert.equal(said(next(view)), 'defragment')
    const after = afterwards({ m1: { alarms: noSpace('m1'), metrics: metrics({ quota: 300 }) } })
    assert.equal(said(next(after, done, { disarms: false })), 'snapshot')
    assert.equal(said(next(after, [...done, backedUp(), trimmed], { disarms: false })), 'completed')
  })

  test('of a quota that nobody knows stays and is told of, with what to do', () => {
    const unknown = { kind: 'unknown', because: 'http://m1:2379/metrics cannot be read' } as const
    const view = afterwards({ m1: { alarms: noSpace('m1'), metrics: unknown } })
    assert.equal(said(next(view, done)), 'snapshot')
    assert.match(
      said(next(view, [...done, backedUp(), trimmed])),
      /^noSpace: member m1 has a NOSPACE alarm: its quota is not known .*etcdctl alarm disarm/,
    )
  })

  test('of a member that is no more is taken back, and of one without a quota', () => {
    const gone = afterwards({ m1: { alarms: noSpace('m9') } })
    assert.equal(said(next(gone, done)), 'disarm')
    const limitless = { alarms: noSpace('m1'), metrics: metrics({ quota: Number.POSITIVE_INFINITY }) }
    assert.equal(said(next(afterwards({ m1: limitless }), done)), 'disarm')
  })

  test('has the quota of its status before that of its metrics', () => {
    const like = { alarms: noSpace('m1'), quota: 250, metrics: metrics({ quota: 100 }) }
    assert.equal(said(next(afterwards({ m1: like }), done)), 'disarm')
  })
})

describe('without a lock in etcd', () => {
  const toM2 = cluster({ m1: { leader: 'm2' }, m2: { leader: 'm2' }, m3: { leader: 'm2' } })
  const from = { reign: { leader: idOf('m1'), term: 7n } }

  test('leadership that moved by other hands ends the run, by ours it does not', () => {
    assert.match(
      said(next(toM2, [defragmented('m3')], {}, from)),
      /^oneRunner: leadership has moved to m2, not by this run/,
    )
    assert.equal(said(next(toM2, [defragmented('m3')])), 'defragment')
    assert.equal(said(next(toM2, [...followers, moved('m1', 'm2')], {}, from)), 'defragment')
    const since = (term: bigint) => cluster({ m1: { term }, m2: { term }, m3: { term } })
    assert.match(said(next(since(8n), [defragmented('m3')], {}, from)), /^oneRunner/)
    assert.equal(said(next(since(7n), [defragmented('m3')], {}, from)), 'defragment')
    assert.equal(said(next(toM2, [...followers, moved('m1', 'm2', 'unanswered')], {}, from)), 'defragment')
    const refused = moved('m1', 'm2', 'unanswered')
    assert.ok(refused.kind === 'moveLeader' && refused.outcome.kind === 'unanswered')
    const { fault } = refused.outcome
    assert.ok(fault.kind === 'etcd')
    const outcome = { ...refused.outcome, kind: 'failed', fault: { ...fault, mayHaveRun: false } } as const
    assert.match(said(next(toM2, [...followers, { ...refused, outcome }], {}, from)), /^oneRunner/)
  })
})

describe('after a wait in vain', () => {
  const givenUp = {
    kind: 'failed',
    fault: { kind: 'stopped', check: 'settled', problem: 'm2 is out' },
  } as const
  const out = { m2: { unreachable: 'no answer' } }
  const then = (like: Parameters<typeof cluster>[0], progress: Progress, more: Partial<Circumstances> = {}) =>
    said(next(cluster({ ...out, ...like }), progress, {}, { givenUp, ...more }))
  const first = [defragmented('m2')]
  const end = 'settled: m2 is out'

  test('backup and trim are made, and nothing else, whoever is back', () => {
    assert.equal(then({}, first), 'snapshot')
    assert.equal(then({ m2: {} }, first), 'snapshot')
    assert.equal(then({ m2: { metrics: metrics({ isDefragmenting: true }) } }, first), 'snapshot')
    assert.equal(then({}, [...first, backedUp()]), 'trim')
    assert.equal(then({ m2: {} }, [...first, backedUp(), trimmed]), end)
    assert.equal(then({ m1: { applied: 1n } }, first), 'trim') // its snapshot would be old
  })

  test('not where nothing was touched, nor where the local member or anybody else is at fault', () => {
    assert.equal(then({}, []), end)
    assert.equal(then({ m1: { unreachable: 'no answer' } }, first), end)
    assert.equal(then({ m1: { read: { kind: 'failed', problem: 'x', asksForUser: false } } }, first), end)
    assert.equal(then({ m1: { metrics: metrics({ isDefragmenting: true }) } }, first), end)
    const corrupt = [{ member: idOf('m3'), kind: 'CORRUPT' as const }]
    assert.equal(then({ m1: { alarms: corrupt }, m3: { alarms: corrupt } }, first), end)
    const elsewhere = { m1: { leader: 'm3' }, m3: { leader: 'm3' } }
    assert.equal(then(elsewhere, first), 'snapshot')
    assert.equal(then(elsewhere, first, { reign: { leader: idOf('m1'), term: 7n } }), end)
  })
})

describe('whether a run begins', () => {
  const now = Date.parse('2026-11-22T02:30:00Z')
  const last = (ago: number, verdict: LastRun['verdict'] = 'completed'): LastRun => ({
    by: 'n2',
    endedAt: now - ago,
    verdict,
    exitCode: 0,
    backup: '/root/etcd-backup.xz',
    leftAlone: 0,
    reason: undefined,
    paces: [],
  })

  test('not within --min-interval of one that completed, by whichever clock', () => {
    const soon = (run: LastRun | undefined, minIntervalMs = 3_600_000) =>
      tooSoonAfter(run, now, policy({ minIntervalMs }))?.because
    assert.match(
      soon(last(20_000)) ?? '',
      /completed 20 s ago on n2, at 2026-11-22T02:29:40Z.*--min-interval 0s/,
    )
    assert.match(soon(last(-5_000)) ?? '', /completed 0 s ago/)
    for (const run of [undefined, last(3_600_000), last(-61_000), last(20_000, 'failed')])
      assert.equal(soon(run), undefined)
    assert.equal(soon(last(0), 0), undefined)
    assert.equal(soon({ ...last(0), leftAlone: 1 }), undefined)
    const without = { ...last(0), backup: undefined }
    assert.equal(soon(without), undefined)
    assert.match(
      tooSoonAfter(without, now, policy({ backupPath: undefined }))?.because ?? '',
      /completed 0 s ago/,
    )
  })

  test('not during a pause, which ends by itself', () => {
    const pause = { by: 'ops', since: now - 1000, until: now + 1000, reason: 'moving disks' }
    assert.match(
      pausedBy(pause, 'cluster', now)?.because ?? '',
      /^the cluster is paused until 2026-11-22T02:30:01Z by ops: moving disks; end it with etcd-defrag resume --scope cluster$/,
    )
    assert.equal(pausedBy(pause, 'cluster', now + 1000), undefined)
    assert.equal(pausedBy(undefined, 'cluster', now), undefined)
  })
})

test('the disk of another node is spoken of where file and copy are more than the quota', () => {
  const like = { dbSize: 1_500, dbSizeInUse: 600, metrics: metrics({ quota: 2_000 }) }
  assert.match(
    cautions(cluster({ m2: like }), policy()).join(),
    /member m2: its file of 1500 bytes and the copy of 600/,
  )
  assert.deepEqual(cautions(cluster({ m1: like, m2: { ...like, dbSize: 1_400 } }), policy()), [])
})
