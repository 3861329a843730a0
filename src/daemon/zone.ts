import { MINUTE, type OffsetAt } from '../model/schedule.js'

/** A time zone by its name (tz database), or that of this node. */
export type Zone = Readonly<{
  name: string
  offsetAt: OffsetAt
  /** An instant as its clocks show it: `2026-11-22 02:30 +01:00`. */
  shown(instant: number): string
}>

/** Zone of `name` with offsets from elsewhere. */
export const zoneWith = (name: string, offsetAt: OffsetAt): Zone => ({
  name,
  offsetAt,
  shown: instant => {
    const offset = offsetAt(instant)
    const ahead = new Date(Math.abs(offset)).toISOString().slice(11, 16)
    const wall = new Date(instant + offset).toISOString().slice(0, 16).replace('T', ' ')
    return `${wall} ${offset < 0 ? '-' : '+'}${ahead}`
  },
})

/**
 * The zone of this process, as TZ says (tzset(3)). The same offsets as those of `zoneOf`, which loads the texts of all
 * languages with Intl, a fifth of what bare Node takes.
 */
export const ownZone = (name: string): Zone =>
  zoneWith(name, instant => -new Date(instant).getTimezoneOffset() * MINUTE)

/** Throws Error with what was expected for a name that is no zone. */
export function zoneOf(name: string | undefined): Zone {
  // Newer versions of Node take offsets too, which know of no daylight saving.
  if (name !== undefined && !/^[A-Za-z]/.test(name)) throw new Error(unknown(name))
  const formatter = formatterOf(name)
  const wallAt = (instant: number): number => {
    const parts = Object.fromEntries(
      formatter.formatToParts(instant).map(({ type, value }) => [type, +value]),
    )
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute)
  }
  // Instants of schedules are whole minutes, and so are the offsets of all zones since 1972.
  const offsetAt: OffsetAt = instant => wallAt(instant) - Math.floor(instant / MINUTE) * MINUTE
  return zoneWith(formatter.resolvedOptions().timeZone, offsetAt)
}

function formatterOf(timeZone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    })
  } catch (error) {
    throw new Error(unknown(timeZone ?? ''), { cause: error })
  }
}

const unknown = (name: string): string =>
  `is ${JSON.stringify(name.slice(0, 60))}; expected a time zone such as Europe/Berlin or UTC`
