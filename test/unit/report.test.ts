import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import type { ClusterView, Member } from '../../src/model/member.js'
import type { RunReport } from '../../src/model/report.js'
import type { StepOf } from '../../src/model/step.js'
import { bar, bytes, shown, span, table } from '../../src/report/format.js'
import { failureJson, planJson, runJson, statusJson } from '../../src/report/json.js'
import { terminal } from '../../src/report/terminal.js'
import { colorsFor, planText, statusText, summaryText } from '../../src/report/text.js'
import {
  alone,
  backup,
  defragment,
  done,
  learner,
  m1,
  m2,
  m3,
  member,
  move,
  noSpace,
  reachable,
  record,
  refused,
  report,
  sizes,
  snapshot,
  steps,
  timedOut,
  trim,
  view,
} from './fixtures.js'

const MIB = 1 << 20
const plain = colorsFor(false)

describe('bytes', () => {
  it('are told in three digits and the unit that fits', () => {
    const told = { 0: '0 B', 1023: '1023 B', 1024: '1.00 KiB', 5305795: '5.06 MiB', 213909504: '204 MiB' }
    for (const [count, words] of Object.entries(told)) assert.equal(bytes(Number(count)), words)
    assert.equal(bytes(2 ** 50), '1024 TiB')
  })

  it('are told to half a percent, in ten characters at most', () => {
    const count = fc.oneof(
      fc.nat(2 ** 31 - 1),
      fc.maxSafeNat().map(n => n % 2 ** 49),
      fc.double({ min: 0.1, max: 1e6, noNaN: true }),
    )
    const property = fc.property(count, n => {
      const [, amount, unit] = /^([\d.]{1,5}) ([KMGT]i)?B$/.exec(bytes(n)) ?? []
      const told = Number(amount) * 1024 ** ['', 'Ki', 'Mi', 'Gi', 'Ti'].indexOf(unit ?? '')
      assert.ok(Math.abs(told - n) <= Math.max(1, n * 0.006), `${n}: ${bytes(n)}`)
    })
    fc.assert(property)
  })
})

describe('a time span', () => {
  it('is told in the unit that fits', () => {
    const told = {
      0: '0 ms',
      85.4: '85 ms',
      1000: '1.00 s',
      3210: '3.21 s',
      12345: '12.3 s',
      59999: '1 min 00 s',
      245000: '4 min 05 s',
    }
    for (const [ms, words] of Object.entries(told)) assert.equal(span(Number(ms)), words)
  })

  it('is told to one percent', () => {
    const property = fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), ms => {
      const [, min, s, unit] = /^(?:(\d+) min )?(\d+(?:\.\d+)?) (ms|s)$/.exec(span(ms)) ?? []
      const told = Number(min ?? 0) * 60_000 + Number(s) * (unit === 's' ? 1000 : 1)
      assert.ok(Math.abs(told - ms) <= Math.max(0.5, ms * 0.01), `${ms}: ${span(ms)}`)
    })
    fc.assert(property)
  })
})

describe('a bar', () => {
  it('is as wide as asked, whatever its share, and fills in eighths', () => {
    assert.deepEqual([bar(0, 4), bar(1, 4), bar(0.5, 4)], ['····', '████', '██··'])
    assert.deepEqual([bar(1 / 32, 4), bar(-1, 2), bar(9, 2)], ['▏···', '··', '██'])
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fc.nat(50),
        (share, width) => bar(share, width).length === width,
      ),
    )
  })

  it('of nothing out of nothing is empty', () => assert.equal(bar(0 / 0, 4), '····'))
})

describe('a name', () => {
  it('is shown as it is when it is harmless and short', () => {
    for (const name of ['', 'etcd-1.example.org', 'münchen 漢字 🦊']) assert.equal(shown(name), name)
  })

  it('is never wider than asked, and holds nothing that a terminal would act on', () => {
    const any = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constant('🦊'.repeat(30)))
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 50 }), (name, width) => {
        assert.ok(shown(name, width).length <= width)
        assert.doesNotMatch(shown(name, width), /\p{C}/u)
      }),
    )
    assert.equal(shown('x'.repeat(1000)), `${'x'.repeat(39)}…`)
    assert.equal(shown('\x1b[31ma\nb\u202ec\x9bd'), '?[31ma?b?c?d')
  })
})

describe('a table', () => {
  it('has columns as wide as their widest cell, two blanks between them and none at the end', () => {
    const columns = [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }, { title: '' }] as const
    assert.deepEqual(
      table(columns, [
        ['a', '1', ''],
        ['a long one', '12345', 'x'],
      ]),
      ['NAME         SIZE', 'a               1', 'a long one  12345  x'],
    )
    assert.deepEqual(table(columns, []), ['NAME  SIZE'])
  })

  it('paints cells after they were made as wide as their column', () => {
    const painted = table(
      [{ title: 'A' }, { title: 'B' }],
      [['xx', 'y']],
      (cell, row, column) => `<${row}${column}${cell}>`,
    )
    assert.deepEqual(painted, ['<-10A >  <-11B>', '<00xx>  <01y>'])
  })
})

const node = ({ id, name }: Member) => ({ id, name })
const when = { because: 'so', startedAt: '1970-01-01T00:00:01.000Z', tookMs: 1500 }

describe('the JSON document', () => {
  /** As a reader gets it; that nothing is lost on the way is looked at here. */
  const read = (document: object): object => {
    assert.deepEqual(JSON.parse(JSON.stringify(document)), document)
    return document
  }

  it('of a run has every step with its outcome', () => {
    const { steps: told, after, ...rest } = runJson(report)
    const trimmed = { bytes: 92484608, said: '/var/lib/etcd: 88.2 MiB (92484608 bytes) trimmed' }
    const moves = { step: 'moveLeader', from: node(m1), candidates: [node(m2), node(m3)], ...when }
    const wanted = [
      { step: 'defragment', member: node(m2), ...when, outcome: 'done', result: sizes },
      {
        ...{ step: 'defragment', member: node(m3), ...when, outcome: 'unanswered', fault: timedOut },
        problem: 'Defragment: no answer within 600 s (it may still be running there, and is not sent again)',
      },
      { ...moves, outcome: 'failed', problem: 'MoveLeader: not leader', fault: refused },
      { ...moves, outcome: 'done', result: { to: node(m2) } },
      { step: 'defragment', member: node(m1), ...when, outcome: 'done', result: { before: sizes.before } },
      { step: 'snapshot', member: node(m1), path: '/b.xz', ...when, outcome: 'done', result: backup },
      {
        ...{ step: 'snapshot', member: node(m1), path: '/b.xz', ...when, outcome: 'failed', fault: noSpace },
        problem: 'backup to /b.xz: no space left',
      },
      { step: 'trim', path: '/var/lib/etcd', ...when, outcome: 'done', result: trimmed },
      {
        step: 'trim',
        path: '/var/lib/etcd',
        ...when,
        outcome: 'warned',
        problem: 'trim of /var/lib/etcd: not supported',
      },
    ]
    assert.deepEqual(JSON.parse(JSON.stringify(told)), wanted)
    assert.deepEqual({ format: 1, ...after }, statusJson(view))
    assert.deepEqual(read(rest), {
      ...{ format: 1, verdict: 'completed', exitCode: 0, reason: null, before: null },
      ...{ startedAt: '1970-01-01T00:00:00.000Z', endedAt: '1970-01-01T00:01:05.000Z', tookMs: 65_000 },
      ...{ reclaimedBytes: 6 * MIB, leftAlone: [alone], warnings: ['mind the gap'] },
    })
  })
  it('of a run that was skipped, or that failed, says why', () => {
    const skipped = runJson({
      ...report,
      verdict: { kind: 'skipped', check: 'localLeads', because: 'm2 leads' },
    })
    assert.deepEqual(
      [skipped.verdict, skipped.exitCode, skipped.reason, skipped.check],
      ['skipped', 0, 'm2 leads', 'localLeads'],
    )
    assert.deepEqual(read(failureJson({ kind: 'failed', fault: noSpace })), {
      ...{
        format: 1,
        verdict: 'failed',
        exitCode: 73,
        reason: 'backup to /b.xz: no space left',
        fault: noSpace,
      },
    })
  })

  it('of a plan has its steps and the cluster they are for', () => {
    const plan = {
      steps: [
        { step: defragment(m2), because: 'so' },
        { step: move, because: 'so' },
      ],
      verdict: report.verdict,
    }
    const { cluster, leftAlone, ...rest } = planJson(view, plan, ['careful'])
    assert.deepEqual({ format: 1, ...cluster }, statusJson(view))
    assert.deepEqual(
      leftAlone.map(one => one.member),
      [m3.id, learner.id],
    )
    assert.deepEqual(read(rest), {
      ...{ format: 1, verdict: 'completed', exitCode: 0, reason: null, warnings: ['careful'] },
      steps: [
        { step: 'defragment', member: node(m2), because: 'so' },
        { step: 'moveLeader', from: node(m1), candidates: [node(m2), node(m3)], because: 'so' },
      ],
    })
  })

  it('of a cluster has every member, whatever state it is in', () => {
    const { members, ...rest } = statusJson(view)
    read({ ...rest, members })
    const tolerance = { voters: 3, healthy: 2, quorum: 2, further: 0 }
    assert.deepEqual(rest, { format: 1, clusterId: 'cdf818194e3a8c32', leader: '1', local: '1', tolerance })
    const common = {
      ...{ healthy: true, complaints: [], reachable: true, version: '3.5.30', role: 'follower' },
      ...{ dbSize: 8 * MIB, dbSizeInUse: 2 * MIB, reclaimable: 6 * MIB, raftTerm: 2, raftIndex: 100 },
      ...{ raftAppliedIndex: 100, raftLag: 0, alarms: [], errors: [], read: { kind: 'served', tookMs: 3 } },
    }
    const problem = 'http://3:2379: no connection within 2000 ms'
    assert.deepEqual(members, [
      { ...m1, ...common, endpoint: 'http://1:2379', role: 'leader' },
      {
        ...{ ...m2, ...common, endpoint: 'http://2:2379', raftAppliedIndex: 93, raftLag: 7 },
        ...{ alarms: ['NOSPACE'], errors: ['slow'] },
      },
      { ...m3, healthy: false, complaints: [`cannot be reached: ${problem}`], reachable: false, problem },
      {
        ...{ ...learner, ...common, endpoint: 'http://4:2379', role: 'learner' },
        read: { kind: 'notAsked', because: 'a learner' },
      },
    ])
  })
})

describe('the summary', () => {
  const lines = (of: Partial<RunReport>) => summaryText({ ...report, ...of }, plain).split('\n')

  it('of a run that completed tells what was won and where the backup is', () => {
    assert.deepEqual(lines({}), [
      '',
      'MEMBER    BEFORE     AFTER       RECLAIMED',
      'm2      8.00 MiB  2.00 MiB  6.00 MiB  75 %  ███████▌··',
      'm1      8.00 MiB   unknown       0 B   0 %  ··········',
      '',
      'leader   m1 → m2',
      'backup   /b.xz, 2.00 MiB in 256 KiB, verified, SHA-256 abababababababab…',
      'trim     /var/lib/etcd: 88.2 MiB (92484608 bytes) trimmed',
      'left alone: m3, cannot be reached',
      'warning: mind the gap',
      'completed · 1 min 05 s, 6.00 MiB reclaimed from 2 members',
    ])
  })

  it('of a run that did nothing is one line with the reason', () => {
    const nothing = { steps: [], warnings: [] }
    const skipped = { kind: 'skipped', check: 'localLeads', because: 'm2 leads' } as const
    assert.deepEqual(lines({ ...nothing, verdict: skipped }), ['skipped: m2 leads · 1 min 05 s'])
    const failed = { kind: 'failed', fault: noSpace } as const
    assert.deepEqual(lines({ ...nothing, verdict: failed }), [
      'failed: backup to /b.xz: no space left · 1 min 05 s',
    ])
    const stopped = { kind: 'failed', fault: { kind: 'interrupted', by: 'SIGTERM' } } as const
    assert.deepEqual(lines({ ...nothing, verdict: stopped }), [
      'interrupted: interrupted by SIGTERM · 1 min 05 s',
    ])
  })
})

/** A terminal's writable side, a listener that writes to it, and all that was written. */
function fake(columns?: number) {
  let all = ''
  const sink = new Writable({
    write(chunk, _, next) {
      all += chunk
      next()
    },
  })
  const screen = Object.assign(sink, columns === undefined ? {} : { columns })
  return { listen: terminal(screen, plain), written: () => all }
}

const ERASE = '\x1b[1G\x1b[2K'
/** What stands on the screen: of each line that which was written after the last erasure. */
const rows = (written: string): string[] =>
  written
    .split('\n')
    .map(line => line.slice(line.includes(ERASE) ? line.lastIndexOf(ERASE) + ERASE.length : 0))

describe('the terminal', () => {
  /** With a clock that stands until told to go on. */
  const still = (t: TestContext) => t.mock.timers.enable({ apis: ['setInterval', 'Date'] })

  it('shows one line for each step that ended, and none that is live when the run is over', t => {
    still(t)
    const { listen, written } = fake()
    for (const one of steps) {
      listen({ event: 'stepStarted', step: one.step, because: one.because })
      t.mock.timers.tick(1000)
      listen({ event: 'stepEnded', record: one })
      listen({ event: 'observed', view })
      listen({ event: 'waiting', because: 'm2 sees no leader' })
      t.mock.timers.tick(1000)
      listen({ event: 'decided', decision: { kind: 'stop', verdict: report.verdict } })
    }
    listen({ event: 'ended', report })
    assert.deepEqual(rows(written()), [
      '✔ defragment m2 · 8.00 MiB → 2.00 MiB · 1.50 s',
      '? defragment m3 · Defragment: no answer within 600 s (it may still be running there, and is not sent again) · 1.50 s',
      '✘ move leadership from m1 to m2 or m3, drawn at random · MoveLeader: not leader · 1.50 s',
      '✔ move leadership from m1 to m2 or m3, drawn at random · it was m2 · 1.50 s',
      '✔ defragment m1 · 1.50 s',
      '✔ back up m1 to /b.xz · 2.00 MiB → 256 KiB, verified · 1.50 s',
      '✘ back up m1 to /b.xz · backup to /b.xz: no space left · 1.50 s',
      '✔ trim the file system of /var/lib/etcd · 88.2 MiB · 1.50 s',
      '! trim the file system of /var/lib/etcd · trim of /var/lib/etcd: not supported',
      '',
    ])
    assert.doesNotMatch(written().replaceAll(ERASE, '').replaceAll('\n', ''), /\p{Cc}/u)
  })

  it('writes nothing more once the run is over, and keeps no timer that would keep the process', t => {
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
    const before = timers()
    const { listen, written } = fake()
    listen({ event: 'stepStarted', step: trim, because: 'so' })
    listen({ event: 'waiting', because: 'so' })
    assert.equal(timers(), before + 1)
    listen({ event: 'ended', report })
    assert.equal(timers(), before)
    still(t)
    const length = written().length
    t.mock.timers.tick(10_000)
    assert.equal(written().length, length)
  })

  it('keeps a live line with phase, amount, rate and time, a few times a second', t => {
    still(t)
    const { listen, written } = fake()
    listen({ event: 'stepStarted', step: snapshot, because: 'so' })
    assert.match(written(), /⠙ back up m1 to \/b.xz · 0 ms$/)
    listen({ event: 'stepProgress', step: snapshot, phase: 'snapshot', bytes: 0, of: 4 * MIB })
    t.mock.timers.tick(500)
    listen({ event: 'stepProgress', step: snapshot, phase: 'snapshot', bytes: MIB, of: 4 * MIB })
    t.mock.timers.tick(100)
    assert.match(written(), /back up m1 to \/b.xz · receiving 1.00 MiB of 4.00 MiB, 2.00 MiB\/s · 600 ms$/)
    listen({ event: 'stepProgress', step: snapshot, phase: 'compress', bytes: MIB, of: undefined })
    t.mock.timers.tick(100)
    assert.match(written(), /back up m1 to \/b.xz · compressing 1.00 MiB · 700 ms$/)
    assert.equal(rows(written()).length, 1)
    listen({ event: 'ended', report })
  })

  it('keeps the live line narrower than the screen, so that it can be erased', t => {
    still(t)
    const far: StepOf<'snapshot'> = { ...snapshot, path: `/${'x'.repeat(300)}` }
    for (const columns of [200, 80, 40, 21]) {
      const { listen, written } = fake(columns)
      listen({ event: 'stepStarted', step: far, because: 'so' })
      assert.equal(rows(written()).join('|').length, columns - 1)
      listen({ event: 'ended', report })
    }
  })

  it('tells of a signal on a line of its own and goes on with the step', t => {
    still(t)
    const { listen, written } = fake()
    listen({ event: 'stepStarted', step: defragment(m2), because: 'so' })
    listen({ event: 'interrupting', by: 'SIGTERM', finishing: 'm2 is still defragmenting' })
    t.mock.timers.tick(300)
    const [said, live] = rows(written())
    assert.equal(said, '! SIGTERM: m2 is still defragmenting')
    assert.match(live ?? '', /defragment m2 · 300 ms$/)
    listen({ event: 'stepEnded', record: record(defragment(m2), done(sizes)) })
    listen({ event: 'interrupting', by: 'SIGINT', finishing: 'nothing' })
    listen({ event: 'ended', report })
    const finished = '✔ defragment m2 · 8.00 MiB → 2.00 MiB · 1.50 s'
    assert.deepEqual(rows(written()), [said, finished, '! SIGINT: nothing', ''])
  })
})

describe('names and words from etcd', () => {
  const long = member('2', { name: 'x'.repeat(1000), clientUrls: ['x'.repeat(1000)] })
  const outputs: Record<string, (word: string) => string> = {
    status: word => statusText(viewOf(word), undefined, plain),
    plan: word => {
      const steps = [{ step: defragment(nameOf(word)), because: `a follower: ${word} leads` }]
      const fault = { kind: 'refused', check: 'x', problem: word } as const
      return planText(viewOf(word), { steps, verdict: { kind: 'failed', fault } }, [`forced: ${word}`], plain)
    },
    'summary of a run': word => {
      const alone = [{ member: long.id, name: word, because: word }]
      const verdict = { kind: 'failed', fault: faultOf(word) } as const
      const now = [record(defragment(nameOf(word)), done(sizes))]
      const more = { after: viewOf(word), leftAlone: alone, warnings: [word], verdict, steps: now }
      return summaryText({ ...report, ...more }, plain)
    },
    'run that goes on': word => {
      const { listen, written } = fake()
      const step = defragment(nameOf(word))
      listen({ event: 'stepStarted', step, because: word })
      listen({ event: 'stepEnded', record: record(step, { kind: 'unanswered', fault: faultOf(word) }) })
      listen({ event: 'stepEnded', record: record(trim, { kind: 'warned', problem: word }) })
      listen({ event: 'waiting', because: `member ${word} sees no leader` })
      listen({ event: 'ended', report })
      return written().replaceAll(ERASE, '')
    },
  }
  const nameOf = (word: string) => member('1', { name: word, clientUrls: [word] })
  const faultOf = (problem: string) =>
    ({ kind: 'etcd', call: 'Defragment', member: m1.id, problem, mayHaveRun: true }) as const
  const viewOf = (word: string): ClusterView => ({
    clusterId: '1',
    local: m1.id,
    members: [
      reachable(nameOf(word), { version: word, errors: [word] }),
      { kind: 'unreachable', member: long, problem: word },
    ],
  })

  for (const [where, output] of Object.entries(outputs))
    it(`neither move the cursor nor begin a line in the ${where}`, () => {
      const [tame, wild] = [output('evil').split('\n'), output('\x1b[2J\r\n\x9b31m\u202eevil').split('\n')]
      for (const line of wild) assert.doesNotMatch(line, /\p{Cc}|\p{Cf}/u)
      assert.equal(wild.length, tame.length)
      for (const line of wild) assert.ok(line.length < 500)
    })
})
