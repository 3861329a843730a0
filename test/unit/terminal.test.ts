import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import type { ClusterView } from '../../src/model/member.js'
import type { StepOf } from '../../src/model/step.js'
import { planText } from '../../src/report/planText.js'
import { terminal } from '../../src/report/terminal.js'
import { colorsFor, statusText, summaryText } from '../../src/report/text.js'
import {
  defragment,
  done,
  m1,
  m2,
  member,
  reachable,
  record,
  report,
  sizes,
  snapshot,
  steps,
  trim,
} from './fixtures.js'

const MIB = 1 << 20
const plain = colorsFor(false)

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
      listen({ event: 'waiting', because: 'm2 sees no leader' })
      t.mock.timers.tick(1000)
      listen({ event: 'decided', action: { kind: 'stop', verdict: report.verdict } })
    }
    listen({ event: 'ended', report })
    assert.deepEqual(rows(written()), [
      '✔ defragment m2 · 8.00 MiB → 2.00 MiB · 1.50 s',
      '? defragment m3 · Defragment: no answer within 600 s (it may still be running there; it is not sent again) · 1.50 s',
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
    listen({ event: 'interrupting', by: 'SIGTERM', during: defragment(m2) })
    t.mock.timers.tick(300)
    const [said, live] = rows(written())
    assert.equal(
      said,
      '! SIGTERM: etcd does not stop a defragmentation, so its end is waited for; then the run ends',
    )
    assert.match(live ?? '', /defragment m2 · 300 ms$/)
    listen({ event: 'stepEnded', record: record(defragment(m2), done(sizes)) })
    listen({ event: 'interrupting', by: 'SIGINT', during: undefined })
    listen({ event: 'ended', report })
    const finished = '✔ defragment m2 · 8.00 MiB → 2.00 MiB · 1.50 s'
    assert.deepEqual(rows(written()), [said, finished, '! SIGINT: the run ends here', ''])
  })
})

describe('names and words from etcd', () => {
  const long = member('2', { name: 'x'.repeat(1000), clientUrls: ['x'.repeat(1000)] })
  const outputs: Record<string, (word: string) => string> = {
    status: word => statusText(viewOf(word), undefined, plain),
    plan: word => {
      const steps = [{ step: defragment(nameOf(word)), because: `a follower: ${word} leads` }]
      const fault = { kind: 'refused', check: 'x', problem: word } as const
      return planText(
        viewOf(word),
        { steps, leftAlone: [], waits: [], verdict: { kind: 'failed', fault } },
        [`forced: ${word}`],
        plain,
      )
    },
    'summary of a run': word => {
      const alone = [{ member: long.id, name: word, because: word, isLearner: false }]
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
    ({ kind: 'etcd', call: 'Defragment', member: m1.id, problem, mayHaveRun: true, timedOut: true }) as const
  const viewOf = (word: string): ClusterView => ({
    clusterId: '1',
    local: m1.id,
    members: [
      reachable(nameOf(word), { version: word, errors: [word] }),
      { kind: 'unreachable', member: long, problem: word, metrics: { kind: 'unknown', because: '' } },
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
