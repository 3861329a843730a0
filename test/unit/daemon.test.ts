import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Daemon } from '../../src/daemon/daemon.js'
import type { Note, RunEnd } from '../../src/model/daemon.js'
import { daemonLine } from '../../src/report/daemonLog.js'
import { FakeWorld, settingsOf } from './fakeWorld.js'

const MINUTE = 60_000
const nightly = settingsOf('30 2 * * *')
/** What a daemon left that was there two nights before most of these. */
const last: Note = {
  at: Date.parse('2026-11-20T12:00:00Z'),
  ...{ bootId: 'this boot', schedule: '30 2 * * *', timezone: 'UTC', owesRun: false, lastRun: undefined },
}
const done: RunEnd = { kind: 'exited', code: 0 }

describe('the daemon', () => {
  it('begins a run when it is due, each day, with the words that it was given', async () => {
    const world = new FakeWorld('2026-11-22T02:29:30Z')
    world.begin(nightly)
    await world.pass(29_999)
    assert.deepEqual(world.begun, [])
    await world.pass(1)
    assert.deepEqual(world.begun, ['22 02:30'])
    await world.runs[0]?.end(done)
    await world.until('2026-11-24T12:00:00Z')
    assert.deepEqual(world.begun, ['22 02:30', '23 02:30'])
    await world.runs[1]?.end(done)
    await world.until('2026-11-25T02:30:00Z')
    assert.deepEqual(world.begun, ['22 02:30', '23 02:30', '25 02:30'])
    assert.deepEqual(world.missed, ['1: 24 02:30 to 24 02:30'])
  })

  it('never has two runs at once: what is due meanwhile is missed, and not made up', async () => {
    const world = new FakeWorld('2026-11-22T00:59:00Z')
    world.begin(settingsOf('0 * * * *'))
    await world.until('2026-11-22T03:30:00Z')
    assert.deepEqual(world.begun, ['22 01:00'])
    assert.deepEqual(world.missed, ['1: 22 02:00 to 22 02:00', '1: 22 03:00 to 22 03:00'])
    assert.match(
      world.of('missed')[0]?.because ?? '',
      /the run that began at 2026-11-22 01:00 \+00:00 was still/,
    )
    await world.runs[0]?.end(done)
    await world.until('2026-11-22T03:59:59Z')
    assert.equal(world.runs.length, 1)
    await world.minutes(1)
    assert.deepEqual(world.begun, ['22 01:00', '22 04:00'])
  })

  it('goes on after a run that could not be started, and says why', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    world.begin(nightly)
    await world.minutes(1)
    await world.runs[0]?.end({ kind: 'unstarted', problem: 'spawn EAGAIN' })
    assert.equal(world.of('runEnded')[0]?.verdict, 'could not be started (spawn EAGAIN)')
    await world.until('2026-11-23T02:30:00Z')
    assert.equal(world.runs.length, 2)
  })

  it('makes up for missed runs with one, as soon as can be, where it is asked to', async () => {
    const world = new FakeWorld('2026-11-22T00:59:00Z')
    world.begin(settingsOf('0 * * * *', { catchUp: true }))
    await world.until('2026-11-22T03:30:00Z')
    await world.runs[0]?.end(done)
    assert.deepEqual(world.begun, ['22 01:00', 'owed'])
    await world.runs[1]?.end(done)
    await world.until('2026-11-22T03:59:00Z')
    assert.equal(world.runs.length, 2)
  })

  it('says what a machine missed that slept, and what a clock skipped that was set within a day', async () => {
    for (const catchUp of [false, true]) {
      const world = new FakeWorld('2026-11-22T02:00:10Z')
      world.begin({ ...nightly, catchUp })
      await world.minutes(5)
      world.sleepUntil('2026-11-25T07:00:00Z')
      await world.minutes(1)
      assert.deepEqual(world.missed, ['4: 22 02:30 to 25 02:30'])
      assert.deepEqual(world.begun, catchUp ? ['owed'] : [])
      assert.match(world.status, /next run 2026-11-26 02:30 \+00:00 \(UTC\)/)
      await world.runs[0]?.end(done)
      world.clockTo('2026-11-26T06:00:00Z')
      await world.minutes(1)
      assert.equal(world.missed.at(-1), '1: 26 02:30 to 26 02:30')
      assert.deepEqual(world.of('clockSetAhead'), [])
    }
  })

  it('takes a clock that was set by more than a day for wrong before: nothing was missed', async () => {
    const world = new FakeWorld('1970-01-01T00:00:20Z') // a node without a clock that runs on, as it starts
    world.begin({ ...nightly, catchUp: true }, last)
    await world.minutes(2)
    world.clockTo('2026-11-22T09:00:00Z')
    await world.minutes(1)
    assert.deepEqual([world.begun, world.missed, world.of('clockSetAhead').length], [[], [], 1])
    assert.match(world.status, /^next run 2026-11-23 02:30/)
    assert.ok((world.remembered.at(-1)?.at ?? 0) > last.at, 'the next daemon goes by the right clock too')
    await world.until('2026-11-23T02:30:00Z')
    assert.deepEqual([world.begun, world.missed], [['23 02:30'], []])
  })

  it('takes nothing from a note that is older than a year', async () => {
    const world = new FakeWorld('2026-11-22T09:00:00Z')
    world.begin({ ...nightly, catchUp: true }, { ...last, at: Date.parse('1970-01-01T00:02:00Z') })
    await world.minutes(1)
    assert.deepEqual([world.begun, world.missed], [[], []])
  })

  it('begins a run that is late by a moment, and not one that is late by more', async () => {
    for (const [seconds, begun] of [
      [85, ['22 02:30']],
      [95, []],
    ] as const) {
      const world = new FakeWorld('2026-11-22T02:29:00Z')
      world.begin(nightly)
      world.sleep((60 + seconds - 60) * 1000) // its timer comes in a minute
      await world.minutes(1)
      assert.deepEqual(world.begun, begun, `${seconds} s`)
      assert.equal(world.missed.length, 1 - begun.length)
    }
  })

  it('repeats no run when the clock is set back, and says so', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    world.begin(nightly)
    await world.minutes(10)
    await world.runs[0]?.end(done)
    world.clockTo('2026-11-22T01:40:00Z')
    await world.minutes(1)
    assert.equal(world.of('clockSetBack').length, 1)
    const tomorrow = Date.parse('2026-11-23T02:30:00Z')
    assert.equal(world.of('scheduled').at(-1)?.next, tomorrow, 'of the second 02:30 nothing is announced')
    assert.match(world.status, /^next run 2026-11-23 02:30/)
    assert.deepEqual(world.of('repeated'), [])
    await world.until('2026-11-23T02:00:00Z')
    assert.deepEqual([world.begun, world.missed], [['22 02:30'], []])
    const [time] = world.of('repeated')
    assert.deepEqual([time?.count, time?.first], [1, Date.parse('2026-11-22T02:30:00Z')])
    await world.until('2026-11-23T02:30:00Z')
    assert.equal(world.begun.length, 2)
  })

  it('keeps its schedule in a past that it has not seen, and after a clock that was wrong by days', async () => {
    const early = new FakeWorld('2026-11-22T03:00:00Z') // the hardware clock was two hours ahead
    early.begin(nightly)
    await early.minutes(1)
    early.clockTo('2026-11-22T01:01:00Z')
    await early.minutes(1)
    assert.match(early.status, /^next run 2026-11-22 02:30/)
    await early.until('2026-11-22T02:31:00Z')
    assert.deepEqual(early.begun, ['22 02:30'])

    const wrong = new FakeWorld('2030-01-01T02:29:00Z')
    wrong.begin(nightly)
    await wrong.minutes(5)
    await wrong.runs[0]?.end(done)
    wrong.clockTo('2026-11-22T02:00:00Z')
    await wrong.minutes(31)
    assert.deepEqual(wrong.begun, ['01 02:30', '22 02:30'])
  })
})

describe('a daemon that begins', () => {
  it('says what was missed while there was none, and makes up for it where it is asked to', async () => {
    for (const catchUp of [false, true]) {
      const world = new FakeWorld('2026-11-22T09:00:00Z')
      world.begin({ ...nightly, catchUp }, last)
      await world.minutes(1)
      assert.deepEqual(world.missed, ['2: 21 02:30 to 22 02:30'])
      assert.deepEqual(world.begun, catchUp ? ['owed'] : [])
    }
  })

  it('begins the run that came due in the moment of its restart', async () => {
    const world = new FakeWorld('2026-11-22T02:30:20Z')
    world.begin(nightly, { ...last, at: Date.parse('2026-11-22T02:29:50Z') })
    assert.deepEqual([world.begun, world.missed], [['22 02:30'], []])
  })

  it('begins no run right after the machine has started: what came due meanwhile is missed', async () => {
    const at = Date.parse('2026-11-22T02:20:00Z')
    for (const bootId of ['an earlier boot', undefined]) {
      const world = new FakeWorld('2026-11-22T02:31:20Z')
      world.begin(nightly, { ...last, at, bootId })
      assert.deepEqual([world.begun, world.missed], [[], ['1: 22 02:30 to 22 02:30']])
      await world.until('2026-11-23T02:30:00Z')
      assert.deepEqual(world.begun, ['23 02:30'])
    }
    const unknown = new FakeWorld('2026-11-22T02:31:20Z')
    unknown.bootId = undefined
    unknown.begin(nightly, { ...last, at, bootId: undefined })
    assert.deepEqual([unknown.begun, unknown.missed.length], [[], 1])
  })

  it('makes up for what an earlier one owed, once, where it still is asked to', async () => {
    const before = new FakeWorld('2026-11-22T00:59:00Z')
    const hourly = settingsOf('0 * * * *', { catchUp: true })
    const daemon = before.begin(hourly)
    await before.until('2026-11-22T02:00:00Z') // is missed: the run of 01:00 is under way
    daemon.hear('SIGTERM')
    await before.runs[0]?.end({ kind: 'exited', code: 75 })
    const note = before.remembered.at(-1)
    assert.deepEqual([before.exitCode, before.begun, note?.owesRun], [0, ['22 01:00'], true])

    const after = new FakeWorld('2026-11-22T02:10:00Z')
    after.begin(hourly, note)
    assert.deepEqual([after.begun, after.missed], [['owed'], []])
    assert.equal(after.remembered.at(-1)?.owesRun, false)
    const other = new FakeWorld('2026-11-22T02:10:00Z')
    other.begin({ ...hourly, catchUp: false }, note)
    await other.minutes(1)
    assert.deepEqual([other.begun, other.remembered.at(-1)?.owesRun], [[], false])
  })

  it('shows the last run of an earlier one', async () => {
    const before = new FakeWorld('2026-11-22T02:29:00Z')
    before.begin(nightly)
    await before.minutes(1)
    await before.runs[0]?.end(done)
    const after = new FakeWorld('2026-11-22T09:00:00Z')
    after.begin(nightly, before.remembered.at(-1))
    assert.match(after.status, /; last run: completed or skipped at 2026-11-22 02:30 \+00:00$/)
  })

  it('takes nothing from a note of another schedule, another zone or the future', async () => {
    for (const note of [
      { ...last, schedule: '31 2 * * *' },
      { ...last, timezone: undefined },
      { ...last, at: Date.parse('2026-12-01T00:00:00Z') },
    ]) {
      const world = new FakeWorld('2026-11-22T09:00:00Z')
      world.begin({ ...nightly, catchUp: true }, note)
      await world.until('2026-11-23T02:31:00Z')
      assert.deepEqual([world.begun, world.missed], [['23 02:30'], []], JSON.stringify(note))
      assert.deepEqual(world.of('clockSetBack'), [], 'a note is no clock')
    }
  })

  it('notes how far it has looked, before a run begins and as it ends', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    const daemon = world.begin(nightly)
    await world.minutes(1)
    const noted = world.remembered.at(-1)
    assert.deepEqual([noted?.at, noted?.schedule], [Date.parse('2026-11-22T02:30:00Z'), '30 2 * * *'])
    await world.runs[0]?.end(done)
    await world.minutes(20)
    daemon.hear('SIGTERM')
    assert.equal(world.remembered.at(-1)?.at, Date.parse('2026-11-22T02:50:00Z'))
  })
})

describe('a signal to the daemon', () => {
  it('ends it at once, with 0, while no run is under way', async () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      const world = new FakeWorld('2026-11-22T02:00:00Z')
      const daemon = world.begin(nightly)
      for (const one of [signal, 'SIGTERM', 'SIGHUP']) daemon.hear(one)
      await world.until('2026-11-23T02:31:00Z')
      assert.deepEqual([world.exitCode, world.begun, world.told.at(-1)?.['STOPPING']], [0, [], '1'])
      assert.equal(world.of('daemonEnded').length, 1)
    }
  })

  for (const [words, end, exitCode] of [
    ['that is interrupted is what was asked for', { kind: 'exited', code: 75 }, 0],
    ['that completes nonetheless too', done, 0],
    ['that fails lends its exit code', { kind: 'exited', code: 76 }, 76],
    ['that is killed by another signal counts as interrupted', { kind: 'killed', signal: 'SIGKILL' }, 75],
    // One that was passed on before its handlers were there (Node takes some 50 ms to its first line).
    [
      'that is killed by what was passed on ended as it was asked to',
      { kind: 'killed', signal: 'SIGTERM' },
      0,
    ],
    ['that is killed by the second one too', { kind: 'killed', signal: 'SIGINT' }, 0],
  ] as const)
    it(`is passed on to the run under way, each time, and waited for: a run ${words}`, async () => {
      const world = new FakeWorld('2026-11-22T02:29:00Z')
      const daemon = world.begin(settingsOf('*/5 * * * *', { catchUp: true }))
      await world.minutes(1)
      daemon.hear('SIGTERM')
      await world.minutes(20)
      daemon.hear('SIGINT')
      assert.deepEqual([world.exitCode, world.runs[0]?.signals], [undefined, ['SIGTERM', 'SIGINT']])
      await world.runs[0]?.end(end)
      assert.equal(world.exitCode, exitCode)
      await world.minutes(20)
      assert.equal(world.runs.length, 1)
    })
})

describe('a signal that came before the daemon began', () => {
  it('ends it before any run, also one that would be caught up, and what was owed still is', async () => {
    const world = new FakeWorld('2026-11-22T09:00:00Z')
    const daemon = new Daemon(world, { ...nightly, catchUp: true }, last)
    daemon.hear('SIGTERM')
    assert.equal(await daemon.run(), 0)
    await world.minutes(2)
    assert.deepEqual([world.runs, world.missed, world.of('daemonStarted')], [[], [], []])
    assert.equal(world.of('daemonEnded')[0]?.because, 'SIGTERM')
    assert.equal(world.remembered.at(-1)?.at, last.at)
  })

  it('reads the configuration again where it is SIGHUP', async () => {
    const world = new FakeWorld('2026-11-22T02:00:00Z')
    world.reread = async () => settingsOf('0 5 * * *')
    const daemon = new Daemon(world, nightly, undefined)
    daemon.hear('SIGHUP')
    void daemon.run()
    await world.minutes(1)
    assert.match(world.status, /^next run 2026-11-22 05:00/)
    assert.deepEqual(
      world.told.flatMap(state => ['READY', 'RELOADING'].filter(name => name in state)),
      ['READY', 'RELOADING', 'READY'],
    )
  })
})

describe('SIGHUP', () => {
  it('takes over the new schedule, and disturbs no run', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    const daemon = world.begin(nightly)
    await world.minutes(1)
    world.reread = async () => settingsOf('0 5 * * *', { timezone: 'Asia/Tokyo' })
    daemon.hear('SIGHUP')
    await world.minutes(1)
    assert.deepEqual([world.runs[0]?.signals, world.runs[0]?.isOver], [[], false])
    assert.equal(world.of('reloaded')[0]?.settings.zone, 'Asia/Tokyo')
    assert.match(world.status, /^running since .*; next run 2026-11-23 05:00 \+09:00 \(Asia\/Tokyo\)$/)
    await world.runs[0]?.end(done)
    await world.until('2026-11-23T12:00:00Z')
    assert.deepEqual(world.begun, ['22 02:30', '22 20:00'])
    assert.deepEqual(world.missed, [])
    const order = world.told.flatMap(state =>
      ['READY', 'RELOADING', 'MONOTONIC_USEC'].filter(n => n in state),
    )
    assert.deepEqual(order, ['READY', 'RELOADING', 'MONOTONIC_USEC', 'READY'])
  })

  it('leaves the schedule as it was when the configuration is broken', async () => {
    const world = new FakeWorld('2026-11-22T02:00:00Z')
    const daemon = world.begin(nightly)
    world.reread = async () => {
      throw new Error('config.yaml:1 schedule: is "x"')
    }
    daemon.hear('SIGHUP')
    await world.minutes(31)
    assert.match(world.of('reloadFailed')[0]?.problem ?? '', /is "x"/)
    assert.deepEqual(world.begun, ['22 02:30'])
    assert.equal(world.told.filter(state => state['READY'] === '1').length, 2)
  })
})

describe('SIGTERM while the configuration is read', () => {
  it('ends the daemon once it was read, and nothing of it is taken over', async () => {
    const world = new FakeWorld('2026-11-22T02:00:00Z')
    const daemon = world.begin(nightly)
    let read: (settings: typeof nightly) => void = () => {}
    world.reread = () =>
      new Promise(resolve => {
        read = resolve
      })
    daemon.hear('SIGHUP')
    await world.minutes(1)
    daemon.hear('SIGTERM')
    await world.minutes(1)
    assert.equal(world.exitCode, undefined)
    read(settingsOf('0 5 * * *'))
    await world.minutes(1)
    assert.deepEqual([world.exitCode, world.of('reloaded')], [0, []])
    assert.equal(world.told.at(-1)?.['STOPPING'], '1')
  })
})

describe('the watchdog', () => {
  it('is fed often enough, and also while the last run is waited for', async () => {
    for (const watchdogMs of [6 * MINUTE, 5 * MINUTE, MINUTE, 3000]) {
      const world = new FakeWorld('2026-11-22T02:29:17Z')
      world.watchdogMs = watchdogMs
      const daemon = world.begin(nightly)
      await world.minutes(5)
      daemon.hear('SIGTERM')
      await world.minutes(25)
      const gaps = world.fedAt.slice(1).map((at, i) => at - (world.fedAt[i] ?? 0))
      assert.ok(Math.max(...gaps) <= Math.max(watchdogMs / 2, 2000), `${watchdogMs}: ${Math.max(...gaps)}`)
      assert.ok(30 * MINUTE - (world.fedAt.at(-1) ?? 0) <= watchdogMs / 2, String(watchdogMs))
      // A process each time, so not oftener than it helps.
      assert.ok(Math.min(...gaps) >= Math.min(watchdogMs / 3 - 1000, MINUTE), `${watchdogMs}`)
    }
  })

  it('is not fed by anything but the tick that begins runs', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    world.watchdogMs = MINUTE
    const daemon = world.begin(settingsOf('* * * * *'))
    await world.minutes(2)
    const fed = world.fedAt.length
    world.after = () => () => {} // the timer is never called again
    await world.minutes(1)
    const last = world.fedAt.length
    assert.ok(last <= fed + 1)
    world.reread = async () => nightly
    daemon.hear('SIGHUP')
    await world.runs[0]?.end(done)
    await world.minutes(10)
    assert.equal(world.fedAt.length, last)
  })
})

describe('a program that was replaced on disk', () => {
  it('ends the daemon between runs, and never while one is under way', async () => {
    const world = new FakeWorld('2026-11-22T02:29:00Z')
    world.begin(nightly)
    await world.minutes(1)
    world.replaced = true
    await world.minutes(30)
    assert.deepEqual([world.exitCode, world.runs[0]?.signals], [undefined, []])
    await world.runs[0]?.end(done)
    assert.deepEqual([world.exitCode, world.of('replaced')[0]?.leaves], [0, true])
  })

  it('is only said where nobody would start the daemon again', async () => {
    const world = new FakeWorld('2026-11-22T02:00:00Z')
    world.isKept = false
    world.replaced = true
    world.begin(nightly)
    await world.minutes(31)
    assert.deepEqual([world.exitCode, world.of('replaced').length, world.begun], [undefined, 1, ['22 02:30']])
  })
})

describe('the status line', () => {
  it('shows the next run, the run under way and the end of the last one', async () => {
    const world = new FakeWorld('2026-10-24T12:00:00Z')
    world.begin(settingsOf('30 2 * * *', { timezone: 'Europe/Berlin' }))
    assert.equal(world.status, 'next run 2026-10-25 02:30 +02:00 (Europe/Berlin)')
    await world.until('2026-10-25T00:31:00Z')
    const next = 'next run 2026-10-26 02:30 +01:00 (Europe/Berlin)'
    assert.equal(world.status, `running since 2026-10-25 02:30 +02:00; ${next}`)
    await world.minutes(4)
    await world.runs[0]?.end({ kind: 'exited', code: 69 })
    assert.equal(world.status, `${next}; last run: refused (exit code 69) at 2026-10-25 02:35 +02:00`)
  })
})

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
it(`whatever happens, one run at a time, and each time of the schedule is answered once (SEED=${seed})`, async () => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 3600 }) }),
    fc.record({ kind: fc.constant('sleep' as const), seconds: fc.integer({ min: 1, max: 20_000 }) }),
    fc.record({ kind: fc.constant('ahead' as const), seconds: fc.integer({ min: 1, max: 200_000 }) }),
    fc.record({ kind: fc.constant('back' as const), seconds: fc.integer({ min: 1, max: 5000 }) }),
    fc.record({ kind: fc.constant('end' as const), seconds: fc.constant(0) }),
  )
  const cases = fc.record({
    cron: fc.constantFrom('*/7 * * * *', '30 2 * * *', '0 */2 * * *', '* * * * *'),
    catchUp: fc.boolean(),
    happenings: fc.array(happening, { maxLength: 15 }),
  })
  const holds = fc.asyncProperty(cases, async ({ cron, catchUp, happenings }) => {
    const world = new FakeWorld('2026-10-24T22:10:20Z')
    world.begin(settingsOf(cron, { catchUp, timezone: 'Europe/Berlin' }))
    for (const { kind, seconds } of happenings) {
      if (kind === 'pass') await world.pass(seconds * 1000)
      else if (kind === 'end') await world.runs.find(run => !run.isOver)?.end(done)
      else if (kind === 'sleep') world.sleep(seconds * 1000)
      else world.clockBy(kind === 'ahead' ? seconds * 1000 : -seconds * 1000)
      assert.ok(world.runs.filter(run => !run.isOver).length <= 1, 'one run at a time')
    }
    const begun = world.of('runStarted').flatMap(({ due }) => due ?? [])
    assert.equal(new Set(begun).size, begun.length, 'none is begun twice')
    assert.deepEqual(
      [...begun].sort((a, b) => a - b),
      begun,
    )
    for (const { first, last } of world.of('missed'))
      assert.ok(!begun.some(due => due >= first && due <= last), 'none is begun and missed')
    const caughtUp = world.of('runStarted').filter(({ due }) => due === undefined)
    assert.ok(caughtUp.length <= (catchUp ? world.of('missed').length : 0))
  })
  await fc.assert(holds, { seed, numRuns: process.env['HURRY'] === 'yes' ? 5 : 15 })
})

describe('the lines of the daemon', () => {
  const event = {
    event: 'runEnded',
    pid: 7,
    end: { kind: 'exited', code: 73 },
    verdict: 'v',
    tookMs: 61_000,
  } as const
  const shown = () => 'then'
  const at = Date.parse('2026-11-22T02:30:00Z')

  it('are of the same shape as those of a run, with priorities in the journal', () => {
    const line = daemonLine(event, at, shown, { terminal: false, journal: true })
    assert.match(line, /^<3>\{.*\}\n$/)
    assert.deepEqual(JSON.parse(line.slice(3)), {
      ...{ level: 'error', time: '2026-11-22T02:30:00.000Z', event: 'runEnded' },
      ...{
        pid: 7,
        exitCode: 73,
        signal: null,
        verdict: 'v',
        tookMs: 61_000,
        msg: 'run ends after 1 min 01 s: v',
      },
    })
  })

  it('are sentences on a terminal', () =>
    assert.equal(
      daemonLine(event, at, shown, { terminal: true, journal: false }),
      'then  run ends after 1 min 01 s: v\n',
    ))
})
