/** Ms. */
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A schedule of crontab(5), each field as the numbers that it stands for. Days of the week from 0, Sunday. */
export type Schedule = Readonly<{
  /** As it was written. */
  text: string
  minutes: readonly number[]
  hours: readonly number[]
  daysOfMonth: readonly number[]
  months: readonly number[]
  daysOfWeek: readonly number[]
  /** Both fields of days restrict, and so either one is enough (crontab(5)). */
  eitherDay: boolean
}>

/** How far local time is ahead of UTC at an instant; all in ms, the instant since the epoch. */
export type OffsetAt = (instant: number) => number
