import type { LastLook, Settings } from '../model/daemon.js'
import { DAY, MINUTE } from '../model/schedule.js'
import { dueBetween, nextDue } from './due.js'
import type { Zone } from './zone.js'

/** A run that is later than this is a missed one: a tick or a restart is late by a moment, a machine that slept by more. */
const LATE = 90_000
/** A clock that is set by less skips or repeats no run unsaid. One that was wrong by more has shown times that never were. */
const BELIEVED = DAY
/** How far back missed runs are counted, and a note is believed. */
const REMEMBERED = 366 * DAY

/** What has come due since the last look; instants are ms since the epoch, ascending. */
export type Look = Readonly<{
  /** Too late to be begun. */
  late: readonly number[]
  fresh: readonly number[]
  /** Given once already, before the clock was set back. */
  repeated: readonly number[]
  /** By how many ms the clock was set, where that is worth a word; below 0 where it was set back. */
  clockSetBy: number
}>

/** `now` (ms since the epoch) may be set; `steady` (ms) goes on by itself, also while the machine sleeps. */
export type Clocks = Readonly<{ now: number; steady: number }>

/** How far a schedule was looked at, and answered: each of its times is given once, whatever the clock does. */
export class Agenda {
  #settings: Settings
  #zone: Zone
  /** Up to here the schedule was looked at. */
  #lookedAt: number
  /** What the clocks showed then; before the first look, as it began. */
  #clocks: Clocks
  /** The last time of the schedule that was given. */
  #handled = Number.NEGATIVE_INFINITY

  readonly #bootId: string | undefined
  /** At the next look, what was due up to here is late, however little. */
  #lateUpTo: number

  /** `last` is what was known at the end of an earlier daemon; `bootId` names the start of the machine. */
  constructor(
    settings: Settings,
    zone: Zone,
    clocks: Clocks,
    bootId: string | undefined,
    last: LastLook | undefined,
  ) {
    this.#settings = settings
    this.#zone = zone
    this.#bootId = bootId
    this.#clocks = clocks
    const { now } = clocks
    // A node that has just started has better things to do than a run whose time passed meanwhile.
    const isSameBoot = bootId !== undefined && last?.bootId === bootId
    this.#lateUpTo = isSameBoot ? Number.NEGATIVE_INFINITY : now
    const isSame = last?.schedule === settings.schedule.text && last.timezone === settings.timezone
    const isBelieved = isSame && last.at <= now && last.at > now - REMEMBERED
    this.#lookedAt = isBelieved ? last.at : now
  }

  /** From now on it goes by these. */
  follow(settings: Settings, zone: Zone): void {
    this.#settings = settings
    this.#zone = zone
  }

  look(clocks: Clocks): Look {
    const { now } = clocks
    const clockSetBy = this.#setBy(clocks)
    if (clockSetBy < -BELIEVED) this.#handled = Number.NEGATIVE_INFINITY
    const from = clockSetBy > 0 ? now : Math.min(this.#lookedAt, now)
    const since = Math.max(from, now - REMEMBERED)
    const all = dueBetween(this.#settings.schedule, this.#zone.offsetAt, since, now)
    const repeated = all.filter(instant => instant <= this.#handled)
    const due = all.slice(repeated.length)
    this.#lookedAt = now
    this.#clocks = clocks
    this.#handled = due.at(-1) ?? this.#handled
    const late = due.filter(instant => instant <= this.#lateUpTo || now - instant > LATE)
    this.#lateUpTo = Number.NEGATIVE_INFINITY
    return { late, fresh: due.slice(late.length), repeated, clockSetBy }
  }

  /** Ahead by less than a day, a clock skips times as a machine does that sleeps; back by a moment is nothing. */
  #setBy({ now, steady }: Clocks): number {
    const shown = now - this.#clocks.now
    const ahead = shown - (steady - this.#clocks.steady)
    const isWorthAWord = ahead > BELIEVED || (shown < 0 && ahead < -MINUTE)
    return isWorthAWord ? ahead : 0
  }

  get next(): number | undefined {
    return nextDue(this.#settings.schedule, this.#zone.offsetAt, Math.max(this.#lookedAt, this.#handled))
  }

  /** For the next daemon. */
  get note(): LastLook {
    const { schedule, timezone } = this.#settings
    return { at: this.#lookedAt, bootId: this.#bootId, schedule: schedule.text, timezone }
  }
}

/** How many times of the schedule there are, and from when to when; undefined where there are none. */
export function spanOf(times: readonly number[]): { count: number; first: number; last: number } | undefined {
  const [first, last] = [times[0], times.at(-1)]
  return first === undefined || last === undefined ? undefined : { count: times.length, first, last }
}
