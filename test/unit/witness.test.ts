import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Evidence, violations } from '../lab/judge.js'
import {
  defragmentationsOf,
  type Incident,
  idIn,
  incidentsOf,
  leaderAt,
  type Outage,
} from '../lab/timeline.js'
import { type Told, type ToldStep, toldBy } from '../lab/told.js'

/** Three voters, led by m1; each step at a whole second, a defragmentation lasts 400 ms. */
const S = 1_000
const leads = (member: string, at: number, term: number): Incident => ({ at, member, what: 'leads', term })
const follows = (member: string, at: number): Incident => ({ at, member, what: 'follows' })
const defragmented = (member: string, at: number, until = at + 400): Incident[] => [
  { at, member, what: 'defragmentStarts' },
  { at: until, member, what: 'defragmentEnds' },
]
const step = (kind: ToldStep['step'], member: string | undefined, startedAt: number): ToldStep => ({
  step: kind,
  member,
  startedAt,
  tookMs: 410,
  outcome: 'done',
  to: undefined,
  archive: undefined,
})
const move = (to: string, at: number): ToldStep => ({ ...step('moveLeader', undefined, at), to })
const told = (changed: Partial<Told> = {}): Told => ({
  killed: false,
  code: 0,
  startedAt: 9 * S,
  endedAt: 20 * S,
  report: { verdict: 'completed', exitCode: 0, fault: undefined, reason: null },
  steps: [
    step('defragment', 'm2', 10 * S),
    step('defragment', 'm3', 11 * S),
    move('m2', 12 * S),
    step('defragment', 'm1', 13 * S),
  ],
  voters: ['m1', 'm2', 'm3'],
  leftAlone: [],
  keptLock: false,
  ...changed,
})
const incidents = [
  leads('m1', 1 * S, 2),
  ...defragmented('m2', 10 * S),
  ...defragmented('m3', 11 * S),
  leads('m2', 12 * S + 100, 3),
  ...defragmented('m1', 13 * S),
]
const out = (member: string, from: number, until: number, how: Outage['how'] = 'stopped'): Outage => ({
  member,
  how,
  from: from * S,
  until: until * S,
})
const judged = (changed: Partial<Evidence>, leniency = {}) =>
  violations({ incidents, outages: [], runs: [told()], ...changed }, leniency)
const without = (what: string, member: string) =>
  incidents.filter(i => !(i.what === what && i.member === member))

describe('the witness', () => {
  test('has nothing against the job as it should be', () => {
    assert.deepEqual(judged({}), [])
  })

  test('has nothing against a run that goes on once a member that is out is no member any more', () => {
    const outages = [out('m2', 10.5, 99, 'killed')]
    const removedAt = (at: number) =>
      judged({ outages, incidents: [...incidents, { at: at * S, member: 'm2', what: 'isRemoved' }] })
    assert.deepEqual(removedAt(10.4), [])
    assert.deepEqual(removedAt(10.9), [])
    assert.match(removedAt(11.5).join(), /^m3 was defragmented at \S+ while m2 was killed/)
  })

  for (const [what, changed, words] of [
    [
      'two members out at once',
      { incidents: [...without('defragmentEnds', 'm2'), ...defragmented('m2', 11 * S).slice(1)] },
      /^two members out at once: m2 defragmented \S+, m3/,
    ],
    [
      'a member defragmented while one the run had touched is stopped',
      { outages: [out('m2', 10.5, 12)] },
      /^m3 was defragmented at \S+ while m2 was stopped \S+, which the run had touched$/,
    ],
    [
      'a member defragmented while another one is stopped',
      { outages: [out('m1', 9, 10.5)] },
      /^m2 was defragmented at \S+ while m1 was stopped \S+$/,
    ],
    [
      'a member defragmented while a killed one does not serve yet',
      { outages: [out('m1', 9, 9.1, 'killed')] },
      /^m2 was defragmented at \S+ while m1 was killed/,
    ],
    [
      'a leader defragmented',
      { incidents: incidents.filter(i => i.at !== 12 * S + 100), runs: [told()] },
      /^m1 was defragmented at \S+ while it led/,
    ],
    [
      'a member that led again',
      { incidents: [...incidents, leads('m1', 12.5 * S, 4)] },
      /^m1 was defragmented at \S+ while it led, since 00:00:12.500$/,
    ],
    [
      'a member defragmented once more',
      { incidents: [...incidents, ...defragmented('m3', 14 * S)] },
      /^m3 was defragmented once more by the same run at 00:00:14.000$/,
    ],
    [
      'a defragmentation that no run tells of',
      { incidents: [...incidents, ...defragmented('m4', 14 * S)] },
      /^m4 was defragmented at \S+, and no run tells of it$/,
    ],
    [
      'a step told as done that etcd did not do',
      { incidents: incidents.filter(i => !(i.member === 'm3' && i.at >= 11 * S)) },
      /^the defragmentation of m3 is told as done, and etcd counts 0 in it$/,
    ],
    [
      'a step told as done before etcd was at its end',
      { incidents: [...without('defragmentEnds', 'm1'), ...defragmented('m1', 0, 15 * S).slice(1)] },
      /^the defragmentation of m1 is told as done, and etcd counts 0 in it$/,
    ],
    [
      'a move of the leadership that did not come about',
      {
        incidents: incidents.map(i => (i.what === 'leads' && i.member === 'm2' ? { ...i, member: 'm3' } : i)),
      },
      /^leadership is told as moved to m2, which did not lead$/,
    ],
    [
      'a completed run that left a voter out',
      { runs: [told({ voters: ['m1', 'm2', 'm3', 'm4'] })] },
      /^completed, it says, but the voter m4 was not defragmented once$/,
    ],
    ['an exit code of its own', { runs: [told({ code: 76 })] }, /^exit code 76, report 0, for the verdict/],
    [
      'an exit code that does not fit the fault',
      {
        runs: [
          told({
            code: 69,
            report: { verdict: 'failed', exitCode: 69, fault: { kind: 'etcd' }, reason: '' },
          }),
        ],
      },
      /^exit code 69, report 69, for the verdict failed/,
    ],
    [
      'a refusal after members were touched',
      {
        runs: [
          told({
            code: 69,
            report: { verdict: 'failed', exitCode: 69, fault: { kind: 'refused' }, reason: 'why' },
          }),
        ],
      },
      /^the verdict is failed \(why\), but members were touched$/,
    ],
    ['a run without a report', { runs: [told({ report: undefined })] }, /^a run ended with 0 and gave no/],
  ] as const satisfies readonly (readonly [string, Partial<Evidence>, RegExp])[])
    test(`reports ${what}`, () => {
      const found = judged(changed)
      assert.ok(
        found.some(line => words.test(line)),
        `found only: ${found.join('\n')}`,
      )
    })

  test('lets --force-unhealthy go on beside a member that is out, but not beside one it has touched', () => {
    assert.deepEqual(judged({ outages: [out('m1', 9, 10.5)] }, { forceUnhealthy: true }), [])
    assert.equal(judged({ outages: [out('m2', 10.5, 12)] }, { forceUnhealthy: true }).length, 1)
  })

  test('holds nothing against a run that it could not have known', () => {
    assert.deepEqual(judged({ outages: [out('m3', 9.9, 10.5)] }), [])
    assert.deepEqual(judged({ incidents: [...incidents, leads('m1', 12.9 * S, 4)] }), [])
  })

  test('lets the only voter there is be defragmented while it leads', () => {
    const runs = [told({ voters: ['m1'], steps: [step('defragment', 'm1', 13 * S)] })]
    assert.deepEqual(judged({ incidents: [leads('m1', 1, 2), ...defragmented('m1', 13 * S)], runs }), [])
  })

  test('takes what etcd does for a killed run as told by its log', () => {
    const event = (at: number, name: string, more: object) =>
      JSON.stringify({ time: new Date(at).toISOString(), event: name, ...more })
    const m2 = { step: 'defragment', member: { id: '2', name: 'm2' } }
    const stderr = [
      event(9 * S, 'started', {}),
      event(10 * S, 'stepStarted', m2),
      event(10.5 * S, 'stepEnded', {
        ...m2,
        startedAt: new Date(10 * S).toISOString(),
        tookMs: 500,
        outcome: 'done',
        result: {},
      }),
      event(11 * S, 'stepStarted', { ...m2, member: { id: '3', name: 'm3' } }),
    ].join('\n')
    const killed = toldBy({ code: null, signal: 'SIGKILL', stdout: '', stderr })
    assert.deepEqual(
      killed.steps.map(s => [s.member, s.outcome]),
      [
        ['m2', 'done'],
        ['m3', undefined],
      ],
    )
    assert.deepEqual(judged({ incidents: incidents.slice(0, 5), runs: [killed] }), [])
  })
})

describe('the timeline', () => {
  const line = (ts: string, msg: string) => JSON.stringify({ level: 'info', ts, msg })

  test("reads etcd's log of 3.4 and 3.5", () => {
    const log = [
      'a line before the logger is there',
      line('2026-01-01T00:00:00.100Z', 'starting an etcd server'),
      line('2026-01-01T00:00:01.100Z', 'a490416cac197e88 became leader at term 2'),
      line('2026-01-01T00:00:02.100123Z', 'starting defragment'),
      '{"ts":"2026-01-01T00:00:02.100223Z","msg":"defragmenting","current-db-size-bytes":24363008}',
      line('2026-01-01T00:00:02.200123Z', 'finished defragment'),
      line('2026-01-01T00:00:03.100Z', 'a490416cac197e88 became follower at term 3'),
      '{"ts":"2026-01-01T00:00:04.100Z","msg":"removed member","local-member-id":"a490416cac197e88","removed-remote-peer-id":"26ba"}',
    ].join('\n')
    assert.equal(idIn(log), 'a490416cac197e88')
    assert.equal(incidentsOf('m1', log).at(-1)?.member, '26ba')
    assert.deepEqual(
      incidentsOf('m1', log).map(i => [i.what, i.at % 60_000]),
      [
        ['processStarts', 100],
        ['leads', 1100],
        ['defragmentStarts', 2100],
        ['copies', 2100],
        ['defragmentEnds', 2200],
        ['follows', 3100],
        ['isRemoved', 4100],
      ],
    )
  })

  test('knows a defragmentation whose end was killed before the log had it: the file is smaller from then on', () => {
    const copies = (at: number, dbSize: number): Incident => ({ at, member: 'm1', what: 'copies', dbSize })
    const starts = (at: number): Incident => ({ at, member: 'm1', what: 'defragmentStarts' })
    const holds = (dbSize: number): Incident => ({ at: 3000, member: 'm1', what: 'holds', dbSize })
    const kill = out('m1', 0.02, 1, 'killed')
    for (const [next, end] of [
      [[starts(2000), copies(2001, 2e6)], 'finished'],
      [[starts(2000), copies(2001, 24e6)], 'cut'],
      [[holds(2e6)], 'finished'],
      [[holds(24e6)], 'cut'],
      [[], 'cut'],
    ] as const) {
      const [first] = defragmentationsOf([starts(10), copies(11, 24e6), ...next], [kill])
      assert.deepEqual([first?.end, first?.until], [end, 20])
    }
  })

  test('knows who leads: the highest term, until it is given up or its holder dies', () => {
    const history = [leads('m1', 10, 2), leads('m2', 20, 3), follows('m1', 25), follows('m2', 40)]
    const at = (when: number, outages: readonly Outage[] = []) => leaderAt(history, outages, when)?.member
    assert.deepEqual(
      [5, 10, 19, 20, 39, 40].map(when => at(when)),
      [undefined, 'm1', 'm1', 'm2', 'm2', undefined],
    )
    assert.equal(at(30, [out('m2', 0.025, 1, 'killed')]), undefined)
  })
})
