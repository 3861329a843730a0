import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isCalm } from '../../src/decide/calm.js'
import { cautions } from '../../src/decide/cautions.js'
import { leaderOf, toleranceOf } from '../../src/decide/cluster.js'
import { decide, undisturbed } from '../../src/decide/decide.js'
import { leftAlone } from '../../src/decide/leftAlone.js'
import { planOf } from '../../src/decide/plan.js'
import { flawsOf } from '../../src/decide/versions.js'
import type { ClusterView } from '../../src/model/member.js'
import type { Policy } from '../../src/model/policy.js'
import type { Decision, Progress, StepRecord } from '../../src/model/step.js'
import { exitCodeOf } from '../../src/model/verdict.js'
import { backedUp, cluster, defragmented, idOf, metrics, moved, policy, trimmed } from './views.js'

/** A decision in a word or two. */
function brief(decision: Decision): string {
  if (decision.kind === 'wait')
    return decision.otherwise.kind === 'do' ? `wait, else ${brief(decision.otherwise)}` : 'wait'
  if (decision.kind === 'stop') {
    const { verdict } = decision
    if (verdict.kind === 'completed') return 'completed'
    if (verdict.kind === 'skipped') return `skipped ${verdict.check}`
    const { fault } = verdict
    return fault.kind === 'refused' || fault.kind === 'stopped'
      ? `${fault.kind} ${fault.check}`
      : `failed ${fault.kind}`
  }
  const { step } = decision
  switch (step.kind) {
    case 'defragment':
      return `defragment ${step.member.name}`
    case 'moveLeader':
      return `move ${step.from.name} to ${step.candidates.map(m => m.name).join('|')}`
    case 'snapshot':
      return `snapshot ${step.from.name}`
    case 'disarm':
      return `disarm ${step.members.map(m => m.name).join('|')}`
    case 'trim':
      return 'trim'
  }
}

const failing = { kind: 'failed', problem: 'etcdserver: no leader', asksForUser: false } as const
const corrupt = [{ member: idOf('m2'), kind: 'CORRUPT' }] as const
const noSpace = [{ member: idOf('m2'), kind: 'NOSPACE' }] as const
const unanswered = defragmented('m2', 'unanswered')
const compact = {
  ...unanswered,
  step: { ...unanswered.step, size: { dbSize: 100, dbSizeInUse: 100 } },
} as StepRecord
const down = { unreachable: 'connection refused' }
const single = cluster({}, ['m1'])
const onFollower = cluster({}, ['m1', 'm2', 'm3'], 'm2')
const leaderless = cluster({
  m1: { leader: undefined, read: failing },
  m2: { leader: undefined, read: failing },
  m3: down,
})

const alone = cluster({ m1: { leader: undefined, read: failing }, m2: down, m3: down })

type Row = readonly [name: string, view: ClusterView, changes: Partial<Policy>, expected: string]

describe('preflight', () => {
  const rows: readonly Row[] = [
    ['a healthy cluster is worked on', cluster(), {}, 'defragment m2'],
    [
      'no force takes the place of a user',
      cluster({ m2: { read: { ...failing, asksForUser: true } } }),
      { forceUnhealthy: true },
      'refused user',
    ],
    ['a node whose member does not lead skips', onFollower, {}, 'skipped localLeads'],
    ['... unless told otherwise', onFollower, { forceNonleader: true }, 'defragment m2'],
    ['a version that loses data refuses', cluster({ m3: { version: '3.5.5' } }), {}, 'refused versions'],
    [
      '... unless told otherwise',
      cluster({ m3: { version: '3.5.5' } }),
      { forceVersion: true },
      'defragment m2',
    ],
    ['a single voting member skips', single, {}, 'skipped clusterSize'],
    ['... unless told otherwise', single, { forceSingle: true }, 'defragment m1'],
    [
      'a voter beside a learner is a single voting member',
      cluster({ m2: { learner: true } }, ['m1', 'm2']),
      {},
      'skipped clusterSize',
    ],
    ['--force-single changes nothing on three members', cluster(), { forceSingle: true }, 'defragment m2'],
    ['an unreachable member refuses', cluster({ m3: down }), {}, 'refused allHealthy'],
    ['... unless told otherwise', cluster({ m3: down }), { forceUnhealthy: true }, 'defragment m2'],
    ['an unreachable learner refuses', cluster({ m3: { ...down, learner: true } }), {}, 'refused allHealthy'],
    ['a failing linearizable read refuses', cluster({ m3: { read: failing } }), {}, 'refused allHealthy'],
    ['a member without a leader refuses', cluster({ m3: { leader: undefined } }), {}, 'refused allHealthy'],
    ['CORRUPT refuses', cluster({ m1: { alarms: corrupt } }), {}, 'refused allHealthy'],
    ['NOSPACE does not', cluster({ m1: { alarms: noSpace } }), {}, 'defragment m2'],
    [
      'members that disagree on the leader refuse',
      cluster({ m3: { leader: 'm2' } }),
      {},
      'refused leaderAgreed',
    ],
    [
      'a member that follows a leader of a former term refuses',
      cluster({ m3: { leader: 'm2', term: 6n } }),
      {},
      'refused allHealthy',
    ],
    ['no leader refuses', leaderless, {}, 'refused leaderAgreed'],
    [
      'a silent local member refuses, not skips',
      cluster({ m2: down }, ['m1', 'm2', 'm3'], 'm2'),
      {},
      'refused localAnswers',
    ],
    [
      'being a follower speaks before ill health',
      cluster({ m3: down }, ['m1', 'm2', 'm3'], 'm2'),
      {},
      'skipped localLeads',
    ],
    [
      '--force-unhealthy does not stand for --force-nonleader',
      cluster({ m3: down }, ['m1', 'm2', 'm3'], 'm2'),
      { forceUnhealthy: true },
      'skipped localLeads',
    ],
    [
      '--force-nonleader does not stand for --force-unhealthy',
      cluster({ m3: down }, ['m1', 'm2', 'm3'], 'm2'),
      { forceNonleader: true },
      'refused allHealthy',
    ],
  ]
  for (const [name, view, changes, expected] of rows)
    test(`${name}: ${expected}`, () => assert.equal(brief(decide(view, [], policy(changes))), expected))

  test('says what was seen, and the flag that overrides', () => {
    for (const [view, flag] of [
      [onFollower, '--force-nonleader'],
      [single, '--force-single'],
      [cluster({ m3: down }), '--force-unhealthy'],
      [leaderless, '--force-unhealthy'],
    ] as const) {
      const decision = decide(view, [], policy())
      assert.ok(decision.kind === 'stop' && decision.verdict.kind !== 'completed')
      const said =
        decision.verdict.kind === 'skipped'
          ? decision.verdict.because
          : JSON.stringify(decision.verdict.fault)
      assert.match(said, new RegExp(flag))
    }
  })
})

describe('the next step', () => {
  const followers: Progress = [defragmented('m2'), defragmented('m3')]
  const toM2 = cluster({ m1: { leader: 'm2' }, m2: { leader: 'm2' }, m3: { leader: 'm2' } })
  const all: Progress = [...followers, moved('m1', 'm2'), defragmented('m1')]
  const rows: readonly (readonly [string, ClusterView, Progress, Partial<Policy>, string])[] = [
    ['after one follower, the other', cluster(), [defragmented('m2')], {}, 'defragment m3'],
    ['after the followers, leadership moves to one of them', cluster(), followers, {}, 'move m1 to m2|m3'],
    [
      'a member that is behind is waited for',
      cluster({ m2: { applied: 1n } }),
      [defragmented('m3')],
      {},
      'wait',
    ],
    [
      'members that have not all heard of the new leader are waited for',
      cluster({ m2: { leader: 'm2', term: 8n } }),
      [...followers, moved('m1', 'm2')],
      {},
      'wait',
    ],
    [
      '... also under --force-unhealthy, where no leader at all would not stop the run',
      cluster({ m1: { leader: undefined, term: 8n }, m2: { leader: undefined, term: 8n } }),
      [...followers, moved('m1', 'm2')],
      { forceUnhealthy: true },
      'wait',
    ],
    ['after the move, the ex-leader', toM2, [...followers, moved('m1', 'm2')], {}, 'defragment m1'],
    ['after the last member, the backup', toM2, all, {}, 'snapshot m1'],
    ['after the backup, the trim', toM2, [...all, backedUp()], {}, 'trim'],
    ['after the trim, the end', toM2, [...all, backedUp(), trimmed], {}, 'completed'],
    ['--no-backup goes on to the trim', toM2, all, { backupPath: undefined }, 'trim'],
    ['--no-trim ends', toM2, all, { backupPath: undefined, trims: false }, 'completed'],
    ['a failed backup is trimmed after', toM2, [...all, backedUp('failed')], {}, 'trim'],
    ['... and decides the verdict', toM2, [...all, backedUp('failed'), trimmed], {}, 'failed backup'],
    [
      'nothing moves while the last one touched is out',
      cluster({ m2: down }),
      [defragmented('m2')],
      {},
      'wait',
    ],
    [
      '... nor under --force-unhealthy',
      cluster({ m2: down }),
      [defragmented('m2')],
      { forceUnhealthy: true },
      'wait',
    ],
    ['... nor while it lags', cluster({ m2: { applied: 8_000n } }), [defragmented('m2')], {}, 'wait'],
    [
      'an unanswered one that is back again, and smaller, is done',
      cluster({ m2: { dbSize: 100 } }),
      [defragmented('m2', 'unanswered')],
      {},
      'defragment m3',
    ],
    [
      'an unanswered one that is back again, and as large as before, ends the defragmenting',
      cluster(),
      [defragmented('m2', 'unanswered')],
      {},
      'snapshot m1',
    ],
    ['... but not one that had nothing to give back', cluster(), [compact], {}, 'defragment m3'],
    [
      '... unless it has started anew since',
      cluster({ m2: { metrics: metrics({ processStart: 2_000, uptimeMs: 4_000_000 }) } }),
      [compact],
      {},
      'snapshot m1',
    ],
    [
      '... and is waited for where that cannot be told just now',
      cluster({ m2: { metrics: { kind: 'unknown', because: 'no answer' } } }),
      [compact],
      {},
      'wait',
    ],
    [
      '... and counts for nothing where it never could be',
      cluster({ m2: { metrics: { kind: 'unknown', because: 'no answer' } } }),
      [{ ...compact, step: { ...compact.step, processStart: undefined } }],
      {},
      'snapshot m1',
    ],
    [
      '... and the run is a failure',
      cluster(),
      [defragmented('m2', 'unanswered'), backedUp(), trimmed],
      {},
      'failed etcd',
    ],
    [
      'leadership does not move to one that was not made smaller',
      cluster({}, ['m1', 'm2']),
      [defragmented('m2', 'unanswered')],
      {},
      'snapshot m1',
    ],
    [
      'one that was over, or the run had not gone on after it, is done, though it has grown as large again',
      cluster(),
      [defragmented('m2', 'unanswered'), defragmented('m3')],
      {},
      'move m1 to m2|m3',
    ],
    [
      'after a backup that was waited for in vain, the trim',
      cluster({ m2: down }),
      [defragmented('m2'), backedUp()],
      {},
      'wait',
    ],
    ['... and the end', cluster({ m2: down }), [defragmented('m2'), backedUp(), trimmed], {}, 'wait'],
    [
      'a local member that serves no read gives no backup while another is out',
      cluster({ m1: { read: { kind: 'failed', problem: 'no answer', asksForUser: false } }, m2: down }),
      [defragmented('m2')],
      {},
      'wait',
    ],
    [
      '... nor any where a member has a CORRUPT alarm',
      cluster({ m2: down, m3: { alarms: [{ member: idOf('m3'), kind: 'CORRUPT' }] } }),
      [defragmented('m2')],
      { forceUnhealthy: true },
      'wait',
    ],
    [
      'a backup alone is over once it is there, whatever happens then',
      cluster({ m2: down }),
      [backedUp()],
      { job: 'backup' },
      'completed',
    ],
    [
      'a CORRUPT local member is not backed up over the last good backup',
      cluster({ m1: { alarms: [{ member: idOf('m1'), kind: 'CORRUPT' }] } }, ['m1']),
      [defragmented('m1')].map(asReachableOnly),
      { forceUnhealthy: true, trims: false },
      'failed backup',
    ],
    [
      'an unanswered one that is still out is waited for',
      cluster({ m2: down }),
      [defragmented('m2', 'unanswered')],
      {},
      'wait',
    ],
    [
      'after a failed one none is defragmented, but a backup is taken',
      cluster(),
      [defragmented('m2', 'failed')],
      {},
      'snapshot m1',
    ],
    [
      '... and the failure decides the verdict',
      cluster(),
      [defragmented('m2', 'failed'), backedUp(), trimmed],
      {},
      'failed etcd',
    ],
    ['a member that dies in mid-run is waited for', cluster({ m3: down }), [defragmented('m2')], {}, 'wait'],
    [
      'a failed candidate is not tried again',
      cluster(),
      [...followers, moved('m1', 'm2', 'unanswered')],
      {},
      'move m1 to m3',
    ],
    [
      'leadership that came back moves again',
      cluster(),
      [...followers, moved('m1', 'm2')],
      {},
      'move m1 to m2|m3',
    ],
    [
      '... a bounded number of times, then the backup is taken',
      cluster(),
      [...followers, ...Array(5).fill(moved('m1', 'm2'))],
      {},
      'snapshot m1',
    ],
    [
      '... and the run is a failure',
      cluster(),
      [...followers, ...Array(5).fill(moved('m1', 'm2')), backedUp(), trimmed],
      {},
      'stopped leaderMoved',
    ],
    ['leadership that moved by itself spares the move', toM2, followers, {}, 'defragment m1'],
    [
      'a member that joined in mid-run gets its turn',
      cluster({}, ['m1', 'm2', 'm3', 'm4']),
      followers,
      {},
      'defragment m4',
    ],
    [
      'a member that was removed is not waited for',
      cluster({}, ['m1', 'm3']),
      [defragmented('m2')],
      {},
      'defragment m3',
    ],
    [
      'a learner is left alone',
      cluster({ m3: { learner: true } }),
      [defragmented('m2')],
      {},
      'move m1 to m2',
    ],
    [
      'without a leader the reachable are taken one at a time',
      alone,
      [],
      { forceUnhealthy: true, forceNonleader: true },
      'defragment m1',
    ],
    [
      '... and leadership is not moved',
      leaderless,
      [defragmented('m1'), defragmented('m2')].map(asReachableOnly),
      { forceUnhealthy: true, forceNonleader: true },
      'snapshot m1',
    ],
    [
      'a quorum without a leader is given time to elect one, also under --force-unhealthy',
      cluster({ m1: { leader: undefined }, m2: { leader: undefined }, m3: down }),
      [],
      { forceUnhealthy: true, forceNonleader: true },
      'wait, else defragment m1',
    ],
    ['the only voter is defragmented where it is', single, [], { forceSingle: true }, 'defragment m1'],
    [
      'a leader without anybody to take over is spared',
      cluster({ m2: down, m3: down }),
      [],
      { forceUnhealthy: true },
      'snapshot m1',
    ],
    [
      'from a follower leadership moves away from the real leader',
      onFollower,
      followers,
      { forceNonleader: true },
      'move m1 to m2|m3',
    ],
    [
      'from a follower the local member is backed up',
      cluster({ m1: { leader: 'm3' }, m2: { leader: 'm3' }, m3: { leader: 'm3' } }, ['m1', 'm2', 'm3'], 'm2'),
      [...followers, moved('m1', 'm3'), defragmented('m1')],
      { forceNonleader: true },
      'snapshot m2',
    ],
    [
      'a lagging local member is not backed up yet',
      cluster({ m1: { leader: 'm2', applied: 1n }, m2: { leader: 'm2' }, m3: { leader: 'm2' } }),
      followers.concat(defragmented('m1', 'failed')),
      {},
      'wait',
    ],
  ]
  for (const [name, view, progress, changes, expected] of rows)
    test(`${name}: ${expected}`, () => assert.equal(brief(decide(view, progress, policy(changes))), expected))

  test('one good look after a step is not enough, and after a call without an answer a second of them is', () => {
    const next = (progress: Progress, calmLooks: number, calmMs = 0) =>
      brief(decide(cluster(), progress, policy(), { ...undisturbed, calmLooks, calmMs }))
    assert.equal(next([], 1), 'defragment m2')
    assert.deepEqual(
      [1, 2, 3].map(looks => next([defragmented('m2')], looks)),
      ['wait', 'wait', 'defragment m3'],
    )
    assert.equal(next([defragmented('m2', 'unanswered')], 100, 999), 'wait')
    assert.equal(next([defragmented('m2', 'unanswered')], 2, 5_000), 'wait')
    assert.equal(next([defragmented('m2', 'unanswered')], 3, 1_000), 'snapshot m1')
    assert.equal(next([...followers, moved('m1', 'm2'), defragmented('m1'), backedUp()], 1), 'trim')
  })

  test('a look is calm when leader, term and complaints are those of the look before and reads are fast', () => {
    const slow = { kind: 'served', tookMs: 1_500 } as const
    assert.equal(isCalm(cluster(), cluster()), true)
    assert.equal(isCalm(cluster(), toM2), false)
    assert.equal(isCalm(cluster(), cluster({ m1: { term: 8n }, m2: { term: 8n }, m3: { term: 8n } })), false)
    assert.equal(isCalm(cluster({ m3: down }), cluster()), false)
    assert.equal(isCalm(cluster({ m3: down }), cluster({ m3: down })), true)
    assert.equal(isCalm(cluster(), cluster({ m3: { read: slow } })), false)
    assert.equal(isCalm(leaderless, leaderless), true)
  })

  test('when waiting runs out, the unanswered call is what the run names, with exit code 76', () => {
    const progress = [defragmented('m2', 'unanswered'), backedUp(), trimmed]
    const decision = decide(cluster({ m2: down }), progress, policy())
    assert.ok(decision.kind === 'wait' && decision.otherwise.kind === 'stop')
    const { verdict } = decision.otherwise
    assert.equal(verdict.kind === 'failed' && verdict.fault.kind, 'etcd')
    assert.equal(exitCodeOf(verdict), 76)
  })
})

/** As recorded of a member that served no read before. */
function asReachableOnly(record: Progress[number]): Progress[number] {
  return record.kind === 'defragment' ? { ...record, step: { ...record.step, proof: 'status' } } : record
}

describe('the plan', () => {
  test('is the run, step by step, when all goes well', () => {
    const { steps, verdict } = planOf(cluster(), policy())
    assert.deepEqual(
      steps.map(({ step, because }) => brief({ kind: 'do', step, because })),
      ['defragment m2', 'defragment m3', 'move m1 to m2|m3', 'defragment m1', 'snapshot m1', 'trim'],
    )
    assert.equal(verdict.kind, 'completed')
    for (const { because } of steps) assert.notEqual(because, '')
  })

  test('has no step where a run would refuse', () => {
    const { steps, verdict } = planOf(cluster({ m3: down }), policy())
    assert.deepEqual([steps, exitCodeOf(verdict)], [[], 69])
  })

  test('leaves out what cannot be reached', () => {
    const { steps } = planOf(cluster({ m3: down }), policy({ forceUnhealthy: true }))
    const members = steps.flatMap(({ step }) => (step.kind === 'defragment' ? [step.member.name] : []))
    assert.deepEqual(members, ['m2', 'm1'])
  })
})

const forced = policy({ forceUnhealthy: true })

describe('what is said of a cluster', () => {
  test('the highest term tells who leads', () => {
    assert.equal(leaderOf(cluster({ m3: { leader: 'm3', term: 3n } }))?.name, 'm1')
    assert.equal(leaderOf(cluster({ m1: { leader: 'm2' } })), undefined)
    assert.equal(leaderOf(cluster({ m1: down }))?.name, 'm1')
    assert.equal(leaderOf(cluster({ m1: down, m2: { read: failing }, m3: { read: failing } })), undefined)
  })

  test('how many further failures can be borne', () => {
    assert.equal(toleranceOf(cluster()).further, 1)
    assert.equal(toleranceOf(cluster({ m3: down })).further, 0)
    assert.equal(toleranceOf(leaderless).further, -2)
    assert.equal(toleranceOf(cluster({ m3: { learner: true } })).further, 0)
    assert.deepEqual(cautions(cluster(), forced), [])
    assert.match(cautions(cluster({ m3: down }), forced).join(), /no further failure can be borne/)
    assert.match(
      cautions(cluster({ m3: down }, ['m1', 'm2', 'm3', 'm4', 'm5']), forced).join(),
      /1 further failure can be borne/,
    )
    assert.match(cautions(leaderless, forced).join(), /no quorum now/)
  })

  test('who is left alone, and why', () => {
    const alone = leftAlone(cluster({ m2: { learner: true }, m3: down }), [], policy(), undisturbed)
    assert.deepEqual(
      alone.map(({ name, because }) => [name, because.split(':')[0]]),
      [
        ['m2', 'a learner'],
        ['m3', 'cannot be reached'],
      ],
    )
  })

  test('which flaws of etcd a version has, from the first that has it to the last', () => {
    const issues = (version: string) => {
      const view = cluster({ m1: { version } }, ['m1'])
      return (['refuse', 'warn'] as const).map(gate =>
        flawsOf(view, gate).map(words => Number(/#(\d+)/.exec(words)?.[1])),
      )
    }
    assert.deepEqual(issues('3.3.18'), [[11613], [14648, 13713]])
    assert.deepEqual(issues('3.3.19'), [[], [14648, 13713]])
    assert.deepEqual(issues('3.4.0'), [[11613], [14648, 13713]])
    assert.deepEqual(issues('3.4.4'), [[], [14648, 13713]])
    assert.deepEqual(issues('3.4.19'), [[], [14648]])
    assert.deepEqual(issues('3.4.22'), [[], []])
    assert.deepEqual(issues('3.5.0-rc.1'), [
      [14685, 13766],
      [14648, 13713],
    ])
    assert.deepEqual(issues('3.5.2'), [
      [14685, 13766],
      [14648, 13713],
    ])
    assert.deepEqual(issues('3.5.3'), [[14685], [14648]])
    assert.deepEqual(issues('3.5.6'), [[], []])
    assert.deepEqual(issues('3.10.0'), [[], []])
    assert.match(
      cautions(cluster({ m2: { version: '3.4.20' } }), policy()).join(),
      /m2 runs etcd 3\.4\.20.*fixed in 3\.4\.22/,
    )
  })
})
