import type { LastLook, Settings } from '../model/daemon.js'
import { DAY, MINUTE } from '../model/schedule.js'
import { dueBetween, nextDue } from './due.js'
import type { Zone } from './zone.js'

/** A run that is later than this is a missed one: a tick or a restart is late by a moment, a machine that slept by more. */
const LATE = 90_000
/** A clock that is set back by less repeats no run. One that was wrong by more has shown times that never were. */
const BELIEVED = DAY
/** How far back missed runs are counted. */
const REMEMBERED = 366 * DAY

/** What has come due since the last look; instants are ms since the epoch, ascending. */
export type Look = Readonly<{
  /** Too late to be begun. */
  late: readonly number[]
  fresh: readonly number[]
  /** By how many ms the clock was set back, where that is worth a word; else 0. */
  setBackBy: number
}>

/** How far a schedule was looked at, and answered: each of its times is given once, whatever the clock does. */
export class Agenda {
  #settings: Settings
  #zone: Zone
  /** Up to here the schedule was looked at. */
  #lookedAt: number
  /** The last time of the schedule that was given. */
  #handled = Number.NEGATIVE_INFINITY

  readonly #bootId: string | undefined
  /** At the next look, what was due up to here is late, however little. */
  #lateUpTo: number

  /** `last` is what was known at the end of an earlier daemon; `bootId` names the start of the machine. */
  constructor(
    settings: Settings,
    zone: Zone,
    now: number,
    bootId: string | undefined,
    last: LastLook | undefined,
  ) {
    this.#settings = settings
    this.#zone = zone
    this.#bootId = bootId
    // A node that has just started has better things to do than a run whose time passed meanwhile.
    const isSameBoot = bootId !== undefined && last?.bootId === bootId
    this.#lateUpTo = isSameBoot ? Number.NEGATIVE_INFINITY : now
    const isSame = last?.schedule === settings.schedule.text && last.timezone === settings.timezone
    this.#lookedAt = last !== undefined && isSame && last.at <= now ? last.at : now
  }

  /** From now on it goes by these. */
  follow(settings: Settings, zone: Zone): void {
    this.#settings = settings
    this.#zone = zone
  }

  look(now: number): Look {
    const setBackBy = this.#lookedAt - now
    if (setBackBy > BELIEVED) this.#handled = Number.NEGATIVE_INFINITY
    const since = Math.max(Math.min(this.#lookedAt, now), now - REMEMBERED)
    const due = dueBetween(this.#settings.schedule, this.#zone.offsetAt, since, now).filter(
      instant => instant > this.#handled,
    )
    this.#lookedAt = now
    this.#handled = due.at(-1) ?? this.#handled
    const late = due.filter(instant => instant <= this.#lateUpTo || now - instant > LATE)
    this.#lateUpTo = Number.NEGATIVE_INFINITY
    return { late, fresh: due.slice(late.length), setBackBy: setBackBy > MINUTE ? setBackBy : 0 }
  }

  get next(): number | undefined {
    return nextDue(this.#settings.schedule, this.#zone.offsetAt, this.#lookedAt)
  }

  /** For the next daemon. */
  get note(): LastLook {
    const { schedule, timezone } = this.#settings
    return { at: this.#lookedAt, bootId: this.#bootId, schedule: schedule.text, timezone }
  }
}
