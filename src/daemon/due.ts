import { DAY, HOUR, MINUTE, type OffsetAt, type Schedule } from '../model/schedule.js'

/** No zone was ever further from UTC (tz: northamerica and asia, Alaska and Manila before 1867 and 1844). */
const REACH = 16 * HOUR
/** 29 February comes after at most eight years: 1896 to 1904, 2096 to 2104. */
const FURTHEST = 9 * 366 * DAY

/**
 * The instants (ms since the epoch, ascending) at which `schedule` comes due after `from` and up to `to`.
 *
 * A schedule that names its hours means times of the clock on the wall, each once: one that is skipped comes at the
 * first minute after the gap, and of one that is there twice the first counts. One of every hour means the passing
 * time: it comes at each minute that fits, as often as there is one.
 */
export function dueBetween(
  schedule: Schedule,
  offsetAt: OffsetAt,
  from: number,
  to: number,
): readonly number[] {
  const due = new Set<number>()
  for (let day = dayOf(from - REACH); day <= to + REACH; day += DAY) {
    if (!isOn(schedule, day)) continue
    const around = { before: offsetAt(day - REACH), after: offsetAt(day + DAY + REACH) }
    const { before, after } = around
    const [low, high] = before === after ? [from + before, to + before] : [from - REACH, to + REACH]
    for (const wall of timesOf(schedule, day, low, high))
      for (const instant of instantsOf(wall, around, offsetAt, schedule.hours.length === 24))
        if (instant > from && instant <= to) due.add(instant)
  }
  return [...due].sort((a, b) => a - b)
}

/** The next instant after `after`; undefined where there is none for nine years, and so for ever. */
export function nextDue(schedule: Schedule, offsetAt: OffsetAt, after: number): number | undefined {
  for (let from = after, span = HOUR; from < after + FURTHEST; from += span, span *= 4) {
    const [first] = dueBetween(schedule, offsetAt, from, from + span)
    if (first !== undefined) return first
  }
  return undefined
}

/** Local days and times are counted as if they were UTC's: the days of the calendar, whatever a zone makes of them. */
const dayOf = (wall: number): number => Math.floor(wall / DAY) * DAY

function isOn(schedule: Schedule, day: number): boolean {
  const date = new Date(day)
  if (!schedule.months.includes(date.getUTCMonth() + 1)) return false
  const fits = [
    schedule.daysOfMonth.includes(date.getUTCDate()),
    schedule.daysOfWeek.includes(date.getUTCDay()),
  ]
  return schedule.eitherDay ? fits.includes(true) : !fits.includes(false)
}

/** The times of a day, those after `low` and up to `high`. */
const timesOf = (schedule: Schedule, day: number, low: number, high: number): readonly number[] =>
  schedule.hours
    .map(hour => day + hour * HOUR)
    .filter(hour => hour + HOUR > low && hour <= high)
    .flatMap(hour => schedule.minutes.map(minute => hour + minute * MINUTE))
    .filter(wall => wall > low && wall <= high)

type Around = Readonly<{ before: number; after: number }>

/** When the clock on the wall shows `wall`, the offset being that of `around` before and after at most one change. */
function instantsOf(
  wall: number,
  { before, after }: Around,
  offsetAt: OffsetAt,
  everyHour: boolean,
): readonly number[] {
  if (before === after) return [wall - before]
  const shown = [wall - before, wall - after]
    .filter(instant => offsetAt(instant) === wall - instant)
    .sort((a, b) => a - b)
  if (everyHour) return shown
  return [shown[0] ?? changeBetween(wall - after, wall - before, offsetAt)]
}

/** The first minute with the offset of `late`, that of `early` being another. */
function changeBetween(early: number, late: number, offsetAt: OffsetAt): number {
  const offset = offsetAt(late)
  let [before, after] = [early, late]
  while (after - before > MINUTE) {
    const middle = before + Math.floor((after - before) / 2 / MINUTE) * MINUTE
    if (offsetAt(middle) === offset) after = middle
    else before = middle
  }
  return after
}
