import type { DaemonEvent, LastLook, Run, RunEnd, Settings } from '../model/daemon.js'
import { exitCodeOf, verdictNamed } from '../model/verdict.js'
import { dueBetween, nextDue } from './due.js'
import type { Zone } from './zone.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
/** A run that is later than this is a missed one: a tick is late by a moment, a machine that slept by more. */
const LATE = 90_000
/** A clock that is set back by less repeats no run. One that was wrong by more has shown times that never were. */
const BELIEVED = 24 * 60 * MINUTE
/** How far back missed runs are counted. */
const REMEMBERED = 366 * 24 * 60 * MINUTE

/** The world outside of the daemon. Nothing here throws or rejects but `reread`. */
export type DaemonWorld = Readonly<{
  now(): number // ms since the epoch
  /** Ms, by a clock that nobody sets. */
  steadily(): number
  /** Calls `then` after so many ms, and gives what takes that back. */
  after(ms: number, then: () => void): () => void
  start(words: readonly string[]): Run
  /** From now on local time is that of these settings. */
  zoneOf(settings: Settings): Zone
  /** Rejects with a `Failure` where the configuration is broken. */
  reread(): Promise<Settings>
  /** Whether the program on disk is another one than when this process began. */
  isReplaced(): Promise<boolean>
  remember(stateDir: string, look: LastLook): Promise<void>
  tell(event: DaemonEvent): void
  /** Tells the service manager (sd_notify(3)); resolves when it was told, or cannot be. */
  notify(state: Readonly<Record<string, string>>): Promise<void>
  monotonicUs(): bigint
  /** How long the service manager waits for a sign of life; undefined where it does not. */
  watchdogMs: number | undefined
  /** Whoever started it starts it again when it ends. */
  isKept: boolean
  version: string
}>

type Running = Readonly<{ run: Run; since: number }>

/** Starts a run whenever the schedule says, and never two at once, until it is told to end. */
export class Daemon {
  readonly #world: DaemonWorld
  #settings: Settings
  #zone: Zone
  /** Up to here the schedule was looked at. */
  #lookedAt: number
  /** The last time of the schedule that was answered, by a run or by a word. */
  #handled = Number.NEGATIVE_INFINITY
  #running: Running | undefined
  #lastRun = ''
  #owesRun = false
  #leaving: string | undefined
  #saidReplaced = false
  #isOver = false
  #fedAt = Number.NEGATIVE_INFINITY
  #reloads = Promise.resolve()
  #cancelTick = () => {}
  #resolve: (exitCode: number) => void = () => {}
  readonly #ended = new Promise<number>(resolve => {
    this.#resolve = resolve
  })

  /** `last` is what was known at the end of an earlier daemon. */
  constructor(world: DaemonWorld, settings: Settings, last: LastLook | undefined) {
    this.#world = world
    this.#settings = settings
    this.#zone = world.zoneOf(settings)
    const now = world.now()
    const isSame = last?.schedule === settings.schedule.text && last.timezone === settings.timezone
    this.#lookedAt = last !== undefined && isSame && last.at <= now ? last.at : now
  }

  /** Resolves to the exit code when it has come to its end. */
  run(): Promise<number> {
    this.#tell({
      event: 'daemonStarted',
      settings: this.#settings,
      version: this.#world.version,
    })
    this.#look(this.#world.now())
    void this.#remember()
    this.#tellNext()
    this.#notify({ READY: '1' })
    this.#tick()
    return this.#ended
  }

  /** SIGHUP reads the configuration again; anything else ends the run under way, and then the daemon. None is heard after that. */
  hear(signal: string): void {
    if (this.#isOver) return
    if (signal === 'SIGHUP') {
      this.#reloads = this.#reloads.then(() => this.#reload())
      return
    }
    this.#leaving ??= signal
    this.#tell({ event: 'signalled', signal, pid: this.#running?.run.pid })
    if (this.#running === undefined) this.#end(0, signal)
    else {
      void this.#world.notify({ STOPPING: '1', STATUS: `${signal}: the run under way ends its step` })
      this.#running.run.kill(signal)
    }
  }

  /** Once a minute, on the minute. The watchdog is fed here and nowhere else, since this is what starts runs. */
  #tick(): void {
    const now = this.#world.now()
    const { watchdogMs } = this.#world
    const toNextMinute = MINUTE - (((now % MINUTE) + MINUTE) % MINUTE)
    this.#cancelTick = this.#world.after(Math.min(toNextMinute, (watchdogMs ?? Infinity) / 3), () => {
      if (this.#leaving === undefined) this.#look(this.#world.now())
      this.#tick()
    })
    const steady = this.#world.steadily()
    if (watchdogMs !== undefined && steady - this.#fedAt >= watchdogMs / 3 - SECOND) {
      this.#fedAt = steady
      void this.#world.notify({ WATCHDOG: '1' })
    }
    void this.#leaveIfReplaced()
  }

  /** What came due since the last look is begun or said to be missed. */
  #look(now: number): void {
    if (now < this.#lookedAt) this.#setBack(now)
    const since = Math.max(this.#lookedAt, now - REMEMBERED)
    const due = dueBetween(this.#settings.schedule, this.#zone.offsetAt, since, now).filter(
      instant => instant > this.#handled,
    )
    this.#lookedAt = now
    const newest = due.at(-1)
    if (newest !== undefined) this.#answer(due, newest, now)
    this.#catchUp()
  }

  #answer(due: readonly number[], newest: number, now: number): void {
    this.#handled = newest
    void this.#remember()
    const late = due.filter(instant => now - instant > LATE)
    const fresh = due.slice(late.length)
    this.#miss(
      late,
      'it was found too late: the daemon was not there, or the machine slept, or its clock was set',
    )
    const busy = this.#running
    if (busy !== undefined)
      this.#miss(fresh, `the run that began at ${this.#zone.shown(busy.since)} was still under way`)
    else if (fresh.length > 0) {
      this.#miss(fresh.slice(0, -1), 'the next one is due already')
      this.#begin(newest)
    }
    this.#tellNext()
    this.#notify()
  }

  #setBack(now: number): void {
    const byMs = this.#lookedAt - now
    if (byMs > BELIEVED) this.#handled = Number.NEGATIVE_INFINITY
    this.#lookedAt = now
    if (byMs > MINUTE) this.#tell({ event: 'clockSetBack', byMs })
  }

  #miss(times: readonly number[], because: string): void {
    const [first, last] = [times[0], times.at(-1)]
    if (first === undefined || last === undefined) return
    const caughtUp = this.#settings.catchUp
    this.#owesRun ||= caughtUp
    this.#tell({ event: 'missed', count: times.length, first, last, because, caughtUp })
  }

  /** A run that is owed is begun; `due` is undefined for it, since its time has passed. */
  #catchUp(): void {
    if (this.#owesRun && this.#running === undefined && this.#leaving === undefined) this.#begin(undefined)
  }

  #begin(due: number | undefined): void {
    this.#owesRun = false
    const since = this.#world.now()
    const startedAt = this.#world.steadily()
    const run = this.#world.start(this.#settings.run)
    this.#running = { run, since }
    this.#tell({ event: 'runStarted', pid: run.pid, due })
    this.#notify()
    void run.ended.then(end => this.#ranOut(run, end, Math.round(this.#world.steadily() - startedAt)))
  }

  #ranOut({ pid }: Run, end: RunEnd, tookMs: number): void {
    const verdict = verdictOf(end)
    this.#running = undefined
    this.#lastRun = `last run: ${verdict} at ${this.#zone.shown(this.#world.now())}`
    this.#tell({ event: 'runEnded', pid, end, verdict, tookMs })
    if (this.#leaving !== undefined) this.#end(leavingCode(end), this.#leaving)
    else {
      this.#catchUp()
      this.#notify()
      void this.#leaveIfReplaced()
    }
  }

  async #reload(): Promise<void> {
    if (this.#leaving !== undefined) return
    const monotonicUs = String(this.#world.monotonicUs())
    void this.#world.notify({ RELOADING: '1', MONOTONIC_USEC: monotonicUs })
    try {
      const settings = await this.#world.reread()
      if (this.#leaving !== undefined) return
      this.#look(this.#world.now()) // what has come due until now did so by the old schedule
      this.#settings = settings
      this.#zone = this.#world.zoneOf(settings)
      this.#owesRun &&= settings.catchUp
      void this.#remember()
      this.#tell({ event: 'reloaded', settings })
      this.#tellNext()
    } catch (error) {
      this.#tell({ event: 'reloadFailed', problem: error instanceof Error ? error.message : String(error) })
    }
    if (this.#leaving === undefined) this.#notify({ READY: '1' })
  }

  /** A package that is upgraded leaves the daemon alone; between runs it makes way for the new code by itself. */
  async #leaveIfReplaced(): Promise<void> {
    if (this.#running !== undefined || this.#saidReplaced || !(await this.#world.isReplaced())) return
    if (this.#running !== undefined || this.#saidReplaced || this.#leaving !== undefined) return
    this.#saidReplaced = true
    this.#tell({ event: 'replaced', leaves: this.#world.isKept })
    if (!this.#world.isKept) return
    this.#leaving = 'an upgrade'
    this.#end(0, this.#leaving)
  }

  #end(exitCode: number, because: string): void {
    this.#isOver = true
    this.#cancelTick()
    const told = this.#world.notify({ STOPPING: '1', STATUS: `ended: ${because}` })
    this.#tell({ event: 'daemonEnded', exitCode, because })
    // A reload ends by itself, and leaves no process behind.
    void Promise.all([told, this.#remember(), this.#reloads]).then(() => this.#resolve(exitCode))
  }

  #remember(): Promise<void> {
    const { schedule, timezone, stateDir } = this.#settings
    return this.#world.remember(stateDir, { at: this.#lookedAt, schedule: schedule.text, timezone })
  }

  get #next(): number | undefined {
    return nextDue(this.#settings.schedule, this.#zone.offsetAt, this.#lookedAt)
  }

  #tellNext(): void {
    const next = this.#next
    if (next !== undefined) this.#tell({ event: 'scheduled', next })
  }

  #notify(more: Readonly<Record<string, string>> = {}): void {
    const next = this.#next
    const status = [
      this.#running === undefined ? [] : `running since ${this.#zone.shown(this.#running.since)}`,
      next === undefined ? 'no next run' : `next run ${this.#zone.shown(next)} (${this.#zone.name})`,
      this.#lastRun === '' ? [] : this.#lastRun,
    ]
    void this.#world.notify({ ...more, STATUS: status.flat().join('; ') })
  }

  #tell(event: DaemonEvent): void {
    this.#world.tell(event)
  }
}

function verdictOf(end: RunEnd): string {
  switch (end.kind) {
    case 'exited':
      return verdictNamed(end.code)
    case 'killed':
      return `killed by ${end.signal}`
    case 'unstarted':
      return `could not be started (${end.problem})`
  }
}

/** A run that was asked to end and did is what the daemon was asked for; any other end is told on. */
function leavingCode(end: RunEnd): number {
  const interrupted = exitCodeOf({ kind: 'failed', fault: { kind: 'interrupted', by: '' } })
  if (end.kind === 'killed') return interrupted
  if (end.kind === 'unstarted') return exitCodeOf({ kind: 'failed', fault: { kind: 'bug', problem: '' } })
  return end.code === interrupted ? 0 : end.code
}
