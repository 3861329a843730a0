/** How many archives are kept besides those of other rules; the newest always is. Days and weeks are those of UTC. */
export type Retention = Readonly<{
  /** The newest so many. */
  keep: number
  /** The newest of each of the last so many days, and weeks (from Monday), that have one. */
  daily: number
  weekly: number
}>

const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday. */
const THURSDAY = 3

/** Which of the archives are kept, by the times at which they were taken (ms since the epoch), the newest first. */
export function retained(takenAt: readonly number[], { keep, daily, weekly }: Retention): readonly boolean[] {
  const dayOf = (at: number) => Math.floor(at / DAY_MS)
  const weekOf = (at: number) => Math.floor((dayOf(at) + THURSDAY) / 7)
  const ofDays = firstOfEach(takenAt.map(dayOf), daily)
  const ofWeeks = firstOfEach(takenAt.map(weekOf), weekly)
  return takenAt.map((_, i) => i < Math.max(1, keep) || ofDays.has(i) || ofWeeks.has(i))
}

/** Where the first so many different periods begin. */
function firstOfEach(periods: readonly number[], count: number): ReadonlySet<number> {
  const firsts = periods.flatMap((period, i) => (periods.indexOf(period) === i ? [i] : []))
  return new Set(firsts.slice(0, count))
}
