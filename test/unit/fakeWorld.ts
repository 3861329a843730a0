import { scheduleOf } from '../../src/daemon/cron.js'
import { Daemon } from '../../src/daemon/daemon.js'
import type { DaemonWorld } from '../../src/daemon/world.js'
import { zoneOf } from '../../src/daemon/zone.js'
import type { DaemonEvent, Note, RunEnd, Settings } from '../../src/model/daemon.js'

const MINUTE = 60_000
/** Lets everything that waits for nothing but its turn come to it. */
const settled = () => new Promise(resolve => setImmediate(resolve))

export const settingsOf = (cron: string, more: Partial<Settings> = {}): Settings => {
  const timezone = more.timezone ?? 'UTC'
  const rest = { catchUp: false, stateDir: '/state', run: ['run'] }
  return { schedule: scheduleOf(cron), timezone, zone: zoneOf(timezone).name, ...rest, ...more }
}

type FakeRun = { signals: string[]; isOver: boolean; end(end: RunEnd): Promise<void> }

/** A daemon whose clock, timers and runs are the test's. */
export class FakeWorld implements DaemonWorld {
  #now: number
  #steady = 0
  #timer: { at: number; then: () => void } | undefined
  readonly events: DaemonEvent[] = []
  readonly told: Readonly<Record<string, string>>[] = []
  readonly fedAt: number[] = []
  readonly runs: FakeRun[] = []
  readonly remembered: Note[] = []
  version = '0'
  bootId: string | undefined = 'this boot'
  watchdogMs: number | undefined
  isKept = true
  replaced = false
  reread: () => Promise<Settings> = async () => {
    throw new Error('nothing to read')
  }

  constructor(now: string) {
    this.#now = Date.parse(now)
  }

  now = () => this.#now
  steadily = () => this.#steady
  monotonicUs = () => BigInt(this.#steady) * 1000n
  isReplaced = async () => this.replaced
  zoneOf = ({ timezone }: Settings) => zoneOf(timezone)
  tell = (event: DaemonEvent) => void this.events.push(event)

  after = (ms: number, then: () => void) => {
    const timer = { at: this.#steady + ms, then }
    this.#timer = timer
    return () => {
      if (this.#timer === timer) this.#timer = undefined
    }
  }

  start = (_words: readonly string[]) => {
    let resolve: (end: RunEnd) => void = () => {}
    const ended = new Promise<RunEnd>(r => {
      resolve = r
    })
    const end = async (how: RunEnd) => {
      run.isOver = true
      resolve(how)
      await settled()
    }
    const run: FakeRun = { signals: [], isOver: false, end }
    this.runs.push(run)
    return { pid: this.runs.length, kill: (signal: string) => void run.signals.push(signal), ended }
  }

  remember = async (_stateDir: string, note: Note) => void this.remembered.push(note)

  notify = async (state: Readonly<Record<string, string>>) => {
    this.told.push(state)
    if (state['WATCHDOG'] !== undefined) this.fedAt.push(this.#steady)
  }

  /** A daemon begins here, and where it ends is `exitCode`. */
  exitCode: number | undefined
  begin(settings: Settings, last?: Note): Daemon {
    const daemon = new Daemon(this, settings, last)
    void daemon.run().then(exitCode => {
      this.exitCode = exitCode
    })
    return daemon
  }

  /** So many ms go by, each timer called in its time. */
  async pass(ms: number): Promise<void> {
    const end = this.#steady + ms
    for (;;) {
      await settled()
      const timer = this.#timer
      if (timer === undefined || timer.at > end) break
      this.#now += timer.at - this.#steady
      this.#steady = timer.at
      this.#timer = undefined
      timer.then()
    }
    this.#now += end - this.#steady
    this.#steady = end
    await settled()
  }

  minutes = (count: number) => this.pass(count * MINUTE)
  /** Until the clock shows it. */
  until = (time: string) => this.pass(Date.parse(time) - this.#now)

  /** The machine sleeps: time passes, and its timers do not see it. */
  sleepUntil = (time: string) => this.sleep(Date.parse(time) - this.#now)
  sleep(ms: number): void {
    this.#now += ms
    this.#steady += ms
    if (this.#timer !== undefined) this.#timer.at += ms
  }

  /** The clock goes on and nothing else does: somebody sets it. */
  clockTo(time: string): void {
    this.#now = Date.parse(time)
  }

  clockBy(ms: number): void {
    this.#now += ms
  }

  of<E extends DaemonEvent['event']>(kind: E): readonly (DaemonEvent & { event: E })[] {
    return this.events.filter((event): event is DaemonEvent & { event: E } => event.event === kind)
  }

  /** When runs were due that were begun; `owed` for one in place of those that were missed. */
  get begun(): readonly string[] {
    return this.of('runStarted').map(({ due }) => (due === undefined ? 'owed' : short(due)))
  }

  get missed(): readonly string[] {
    return this.of('missed').map(({ first, last, count }) => `${count}: ${short(first)} to ${short(last)}`)
  }

  get status(): string {
    return this.told.findLast(state => state['STATUS'] !== undefined)?.['STATUS'] ?? ''
  }
}

const short = (instant: number): string => new Date(instant).toISOString().slice(8, 16).replace('T', ' ')
