import type { DaemonEvent, LastRun, Note, Run, RunEnd, Settings } from '../model/daemon.js'
import { MINUTE } from '../model/schedule.js'
import { Agenda, type Clocks, spanOf } from './agenda.js'
import { leavingCode, verdictOf } from './runEnd.js'
import { statusLine } from './statusLine.js'
import type { DaemonWorld } from './world.js'
import type { Zone } from './zone.js'

const SECOND = 1000

type Running = Readonly<{ run: Run; since: number }>

/** Starts a run whenever the schedule says, and never two at once, until it is told to end. */
export class Daemon {
  readonly #world: DaemonWorld
  #settings: Settings
  #zone: Zone
  readonly #agenda: Agenda
  #running: Running | undefined
  #lastRun: LastRun | undefined
  #owesRun: boolean
  #leaving: string | undefined
  /** The signals that the run under way was sent. */
  readonly #passedOn: string[] = []
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
  constructor(world: DaemonWorld, settings: Settings, last: Note | undefined) {
    this.#world = world
    this.#settings = settings
    this.#zone = world.zoneOf(settings)
    this.#agenda = new Agenda(settings, this.#zone, clocksOf(world), world.bootId, last)
    this.#owesRun = settings.catchUp && last?.owesRun === true
    this.#lastRun = last?.lastRun
  }

  /** Resolves to the exit code when it has come to its end; begins nothing where it was told to end before. */
  run(): Promise<number> {
    if (this.#isOver) return this.#ended
    this.#tell({
      event: 'daemonStarted',
      settings: this.#settings,
      version: this.#world.version,
    })
    this.#look()
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
      this.#passedOn.push(signal)
      this.#running.run.kill(signal)
    }
  }

  /** Once a minute, on the minute. The watchdog is fed here and nowhere else, since this is what starts runs. */
  #tick(): void {
    const now = this.#world.now()
    const { watchdogMs } = this.#world
    const toNextMinute = MINUTE - (((now % MINUTE) + MINUTE) % MINUTE)
    this.#cancelTick = this.#world.after(Math.min(toNextMinute, (watchdogMs ?? Infinity) / 3), () => {
      if (this.#leaving === undefined) this.#look()
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
  #look(): void {
    const { late, fresh, repeated, clockSetBy } = this.#agenda.look(clocksOf(this.#world))
    if (clockSetBy > 0) this.#tell({ event: 'clockSetAhead', byMs: clockSetBy })
    if (clockSetBy < 0) this.#tell({ event: 'clockSetBack', byMs: -clockSetBy })
    const span = spanOf(repeated)
    if (span !== undefined) this.#tell({ event: 'repeated', ...span })
    this.#answer(late, fresh)
    if (late.length + fresh.length > 0 || clockSetBy !== 0) {
      void this.#remember()
      this.#tellNext()
      this.#notify()
    }
    this.#catchUp()
  }

  #answer(late: readonly number[], fresh: readonly number[]): void {
    this.#miss(
      late,
      'it was found too late: the daemon was not there, or the machine slept, or its clock was set',
    )
    const busy = this.#running
    if (busy !== undefined)
      this.#miss(fresh, `the run that began at ${this.#zone.shown(busy.since)} was still under way`)
    else if (fresh.length > 0) {
      this.#miss(fresh.slice(0, -1), 'the next one is due already')
      this.#begin(fresh.at(-1))
    }
  }

  #miss(times: readonly number[], because: string): void {
    const span = spanOf(times)
    if (span === undefined) return
    const caughtUp = this.#settings.catchUp
    this.#owesRun ||= caughtUp
    this.#tell({ event: 'missed', ...span, because, caughtUp })
  }

  /** A run that is owed is begun; `due` is undefined for it, since its time has passed. */
  #catchUp(): void {
    if (this.#owesRun && this.#running === undefined && this.#leaving === undefined) this.#begin(undefined)
  }

  #begin(due: number | undefined): void {
    this.#owesRun = false
    void this.#remember()
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
    this.#lastRun = { verdict, at: this.#world.now() }
    void this.#remember()
    this.#tell({ event: 'runEnded', pid, end, verdict, tookMs })
    if (this.#leaving !== undefined) this.#end(leavingCode(end, this.#passedOn), this.#leaving)
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
      this.#look() // what has come due until now did so by the old schedule
      this.#settings = settings
      this.#zone = this.#world.zoneOf(settings)
      this.#agenda.follow(settings, this.#zone)
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
    return this.#world.remember(this.#settings.stateDir, {
      ...this.#agenda.note,
      owesRun: this.#owesRun,
      lastRun: this.#lastRun,
    })
  }

  #tellNext(): void {
    const { next } = this.#agenda
    if (next !== undefined) this.#tell({ event: 'scheduled', next })
  }

  #notify(more: Readonly<Record<string, string>> = {}): void {
    const standing = { runningSince: this.#running?.since, next: this.#agenda.next, lastRun: this.#lastRun }
    void this.#world.notify({ ...more, STATUS: statusLine(this.#zone, standing) })
  }

  #tell(event: DaemonEvent): void {
    this.#world.tell(event)
  }
}

const clocksOf = (world: DaemonWorld): Clocks => ({ now: world.now(), steady: world.steadily() })
