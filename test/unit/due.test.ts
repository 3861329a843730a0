import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { scheduleOf } from '../../src/daemon/cron.js'
import { dueBetween, nextDue } from '../../src/daemon/due.js'
import { ownZone, zoneOf } from '../../src/daemon/zone.js'
import type { OffsetAt, Schedule } from '../../src/model/schedule.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** What comes due in these days of UTC, as the zone's clocks show it. */
function shownIn(zone: string, cron: string, from: string, to: string): readonly string[] {
  const { offsetAt, shown } = zoneOf(zone)
  return dueBetween(scheduleOf(cron), offsetAt, Date.parse(from), Date.parse(to)).map(shown)
}

describe('a time of the day that the clocks skip', () => {
  for (const [zone, cron, from, to, expected] of [
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00Z', '2026-03-29T12:00Z', '2026-03-29 03:00 +02:00'],
    ['America/New_York', '30 2 * * *', '2026-03-08T05:00Z', '2026-03-09T04:00Z', '2026-03-08 03:00 -04:00'],
    [
      'Australia/Lord_Howe',
      '15 2 * * *',
      '2026-10-03T02:00Z',
      '2026-10-04T02:00Z',
      '2026-10-04 02:30 +11:00',
    ],
    ['America/Sao_Paulo', '0 0 * * *', '2018-11-03T12:00Z', '2018-11-04T12:00Z', '2018-11-04 01:00 -02:00'],
  ] as const)
    it(`comes once, at the next minute that exists: ${cron} in ${zone}`, () =>
      assert.deepEqual(shownIn(zone, cron, from, to), [expected]))

  it('comes once where several of them are skipped, and where the next minute is due itself', () => {
    const days = ['2026-03-28T12:00Z', '2026-03-29T12:00Z'] as const
    assert.deepEqual(shownIn('Europe/Berlin', '0,15,30 2 * * *', ...days), ['2026-03-29 03:00 +02:00'])
    assert.deepEqual(shownIn('Europe/Berlin', '0,30 2,3 * * *', ...days), [
      '2026-03-29 03:00 +02:00',
      '2026-03-29 03:30 +02:00',
    ])
  })

  it('comes as the next day begins where the whole day is skipped', () =>
    assert.deepEqual(shownIn('Pacific/Apia', '30 2 * * *', '2011-12-29T00:00Z', '2011-12-31T00:00Z'), [
      '2011-12-29 02:30 -10:00',
      '2011-12-31 00:00 +14:00',
      '2011-12-31 02:30 +14:00',
    ]))
})

describe('a time of the day that is there twice', () => {
  for (const [zone, cron, from, to, expected] of [
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00Z', '2026-10-25T12:00Z', '2026-10-25 02:30 +02:00'],
    ['America/New_York', '30 1 * * *', '2026-11-01T04:00Z', '2026-11-02T05:00Z', '2026-11-01 01:30 -04:00'],
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2026-04-04T02:00Z',
      '2026-04-05T02:00Z',
      '2026-04-05 01:45 +11:00',
    ],
    ['America/Sao_Paulo', '30 23 * * *', '2018-02-17T12:00Z', '2018-02-18T12:00Z', '2018-02-17 23:30 -02:00'],
  ] as const)
    it(`comes once, the first time: ${cron} in ${zone}`, () =>
      assert.deepEqual(shownIn(zone, cron, from, to), [expected]))
})

describe('a schedule of every hour', () => {
  const gaps = (zone: string, cron: string, from: string, to: string) => {
    const due = dueBetween(scheduleOf(cron), zoneOf(zone).offsetAt, Date.parse(from), Date.parse(to))
    return [...new Set(due.slice(1).map((instant, i) => (instant - (due[i] ?? 0)) / MINUTE))]
  }

  it('goes on by the passing time, whatever the clocks do', () => {
    for (const day of ['2026-03-29', '2026-10-25', '2026-07-01'])
      for (const [cron, minutes] of [
        ['*/15 * * * *', 15],
        ['0 * * * *', 60],
        ['30 0-23 * * *', 60],
      ] as const)
        assert.deepEqual(gaps('Europe/Berlin', cron, `${day}T00:00Z`, `${day}T06:00Z`), [minutes], cron)
  })

  it('knows zones that are no whole hours from UTC', () => {
    assert.deepEqual(shownIn('Asia/Kathmandu', '0 * * * *', '2026-01-01T00:00Z', '2026-01-01T01:00Z'), [
      '2026-01-01 06:00 +05:45',
    ])
    assert.deepEqual(gaps('Asia/Kathmandu', '*/15 * * * *', '2026-01-01T00:00Z', '2026-01-02T00:00Z'), [15])
  })
})

/** The clock on the wall as it moves, minute by minute: slow, and hardly to be got wrong. */
function reference(
  fits: (wall: number) => boolean,
  everyHour: boolean,
  offsetAt: OffsetAt,
  from: number,
  to: number,
) {
  const due: number[] = []
  let highest = Number.NEGATIVE_INFINITY
  for (let instant = Math.floor(from / MINUTE) * MINUTE - 2 * DAY; instant <= to; instant += MINUTE) {
    const wall = instant + offsetAt(instant)
    const passed: number[] = []
    for (let w = Math.max(highest + MINUTE, wall - 2 * DAY); w <= wall; w += MINUTE) passed.push(w)
    if ((everyHour ? [wall] : passed).some(fits) && instant > from) due.push(instant)
    highest = Math.max(highest, wall)
  }
  return due
}

/** In each of these something happens to the clocks. */
const changes = [
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Asia/Kathmandu', '1985-12-31T18:30Z'],
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Pacific/Kwajalein', '1993-08-21T12:00Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['America/Sao_Paulo', '2018-02-18T02:00Z'],
  ['America/Caracas', '2016-05-01T07:00Z'],
  ['Africa/Casablanca', '2026-03-22T02:00Z'],
  ['UTC', '2026-01-01T00:00Z'],
] as const

const some = (least: number, most: number) =>
  fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 })
const fields = fc.record({
  minutes: some(0, 59),
  hours: fc.oneof(some(0, 23), fc.constant(undefined)),
  daysOfMonth: fc.oneof(some(1, 31), fc.constant(undefined)),
  daysOfWeek: fc.oneof(some(0, 6), fc.constant(undefined)),
})

describe('what comes due', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  it(`is what the clock on the wall shows as it moves (SEED=${seed})`, () => {
    const cases = fc.record({
      change: fc.constantFrom(...changes),
      fields,
      before: fc.integer({ min: 0, max: 30 * HOUR }),
      after: fc.integer({ min: 0, max: 30 * HOUR }),
    })
    const isSame = fc.property(cases, ({ change: [name, at], fields: f, before, after }) => {
      const either = f.daysOfMonth !== undefined && f.daysOfWeek !== undefined
      const fits = (wall: number) => {
        const date = new Date(wall)
        const inMonth = f.daysOfMonth?.includes(date.getUTCDate()) ?? true
        const inWeek = f.daysOfWeek?.includes(date.getUTCDay()) ?? true
        return (
          f.minutes.includes(date.getUTCMinutes()) &&
          (f.hours?.includes(date.getUTCHours()) ?? true) &&
          (either ? inMonth || inWeek : inMonth && inWeek)
        )
      }
      const words = [f.minutes, f.hours ?? '*', f.daysOfMonth ?? '*', '*', f.daysOfWeek ?? '*']
      const { offsetAt } = zoneOf(name)
      const [from, to] = [Date.parse(at) - before, Date.parse(at) + after]
      assert.deepEqual(
        dueBetween(scheduleOf(words.join(' ')), offsetAt, from, to),
        reference(fits, f.hours === undefined, offsetAt, from, to),
      )
    })
    fc.assert(isSame, { seed, numRuns: 60 })
  })

  it(`is the same whether it is asked for at once or minute by minute (SEED=${seed})`, () => {
    const isSame = fc.property(fc.constantFrom(...changes), fields, (change, f) => {
      const schedule = scheduleOf([f.minutes, f.hours ?? '*', '* * *'].join(' '))
      const { offsetAt } = zoneOf(change[0])
      const [from, to] = [Date.parse(change[1]) - 3 * HOUR, Date.parse(change[1]) + 3 * HOUR]
      const pieces: number[] = []
      for (let at = from; at < to; at += 7 * MINUTE)
        pieces.push(...dueBetween(schedule, offsetAt, at, Math.min(at + 7 * MINUTE, to)))
      assert.deepEqual(pieces, dueBetween(schedule, offsetAt, from, to))
    })
    fc.assert(isSame, { seed, numRuns: 60 })
  })

  it('is next on 29 February, years away, and never on a day that no year has', () => {
    const { offsetAt } = zoneOf('UTC')
    const next = (cron: string, from: string) => nextDue(scheduleOf(cron), offsetAt, Date.parse(from))
    assert.equal(next('0 0 29 2 *', '2096-03-01'), Date.parse('2104-02-29'))
    assert.equal(next('30 2 * * *', '2026-11-22T02:30Z'), Date.parse('2026-11-23T02:30Z'))
    const never: Schedule = { ...scheduleOf('0 0 30 * *'), months: [2] }
    assert.equal(nextDue(never, offsetAt, 0), undefined)
  })
})

describe('a schedule as it is written', () => {
  it('is of numbers, ranges, steps and names, and says when either field of days is enough', () => {
    const { minutes, hours, daysOfMonth, months, daysOfWeek, eitherDay } = scheduleOf(
      ' 0,30  */6 1-3 jan-mar sun,5 ',
    )
    assert.deepEqual(
      { minutes, hours, daysOfMonth, months, daysOfWeek, eitherDay },
      {
        ...{ minutes: [0, 30], hours: [0, 6, 12, 18], daysOfMonth: [1, 2, 3], months: [1, 2, 3] },
        ...{ daysOfWeek: [0, 5], eitherDay: true },
      },
    )
    assert.deepEqual(
      ['0 0 1 * *', '0 0 * * 7', '0 0 */2 * 1', '0 0 1 * 1'].map(cron => scheduleOf(cron).eitherDay),
      [false, false, false, true],
    )
    assert.deepEqual(scheduleOf('0 0 * * 7').daysOfWeek, [0])
  })

  for (const [cron, words] of [
    ['', /^is ""; expected the five fields/],
    ['30 2 * *', /expected the five fields/],
    ['0 30 2 * * *', /of six fields; a daemon that looks each minute knows no seconds/],
    ['@daily', /expected the five fields/],
    ['60 2 * * *', /its minute 60 cannot be/],
    ['0 24 * * *', /its hour 24 cannot be/],
    ['0 0 0 * *', /its dayOfMonth 0 cannot be/],
    ['0 0 * 13 *', /its month 13 cannot be/],
    ['*/0 * * * *', /its minute \*\/0 cannot be/],
    ['0 0 L * *', /L is no day of crontab/],
    ['0 0 15W * *', /15W is no day of crontab/],
    ['0 0 * * 1#2', /1#2 is no day of crontab/],
    ['0 3 ? * 1', /\? is nothing of crontab/],
    ['0 3 * * ?', /\? is nothing of crontab/],
    ['0 0 30 2 *', /its dayOfMonth 30 cannot be/],
  ] as const)
    it(`is refused as ${JSON.stringify(cron)}`, () =>
      assert.throws(() => scheduleOf(cron), { message: words }))
})

describe('a time zone', () => {
  it('that is none is refused, and an offset too', () => {
    for (const name of ['Europe/Belin', '', '+01:00', '../etc/passwd'])
      assert.throws(() => zoneOf(name), /expected a time zone such as Europe\/Berlin or UTC$/, name)
  })

  it('has the same offsets by way of the process as by its name', () => {
    const before = process.env['TZ']
    try {
      for (const [name, at] of changes) {
        process.env['TZ'] = name
        const [own, named] = [ownZone(name), zoneOf(name)]
        for (let hours = -30; hours <= 30; hours += 0.5) {
          const instant = Date.parse(at) + hours * HOUR
          assert.equal(own.shown(instant), named.shown(instant), name)
        }
      }
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})
