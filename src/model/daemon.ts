import type { Schedule } from './schedule.js'

/** Of the settings as `daemon settings` prints them. */
export const SETTINGS_FORMAT = 1

/** What a daemon goes by until it is told to read its configuration again. */
export type Settings = Readonly<{
  schedule: Schedule
  /** Undefined for that of this node. */
  timezone: string | undefined
  /** The name of the one or the other (tz database). */
  zone: string
  catchUp: boolean
  stateDir: string
  /** The words of each run: the command and its flags. */
  run: readonly string[]
}>

/** How a run's process ended. */
export type RunEnd = Readonly<
  | { kind: 'exited'; code: number }
  | { kind: 'killed'; signal: string }
  | { kind: 'unstarted'; problem: string }
>

/** A run that was started as a process of its own. */
export type Run = Readonly<{
  pid: number | undefined
  kill(signal: string): void
  /** Never rejects. */
  ended: Promise<RunEnd>
}>

/** How the last run ended, in a few words, and when (ms since the epoch). */
export type LastRun = Readonly<{ verdict: string; at: number }>

/** How far a schedule was looked at (ms since the epoch), and since which start of the machine. */
export type LastLook = Readonly<{
  at: number
  bootId: string | undefined
  schedule: string
  timezone: string | undefined
}>

/** What a daemon leaves to the next one. */
export type Note = LastLook & Readonly<{ owesRun: boolean; lastRun: LastRun | undefined }>

/** What happens to a daemon, as it happens; instants are ms since the epoch. */
export type DaemonEvent = Readonly<
  | { event: 'daemonStarted'; settings: Settings; version: string }
  | { event: 'scheduled'; next: number }
  /** `count` times of the schedule at which no run was begun. */
  | { event: 'missed'; count: number; first: number; last: number; because: string; caughtUp: boolean }
  | { event: 'runStarted'; pid: number | undefined; due: number | undefined }
  | { event: 'runEnded'; pid: number | undefined; end: RunEnd; verdict: string; tookMs: number }
  | { event: 'reloaded'; settings: Settings }
  | { event: 'reloadFailed'; problem: string }
  /** By more than a day, so that it was wrong before. */
  | { event: 'clockSetAhead'; byMs: number }
  | { event: 'clockSetBack'; byMs: number }
  /** `count` times of the schedule that came a second time, after the clock was set back. */
  | { event: 'repeated'; count: number; first: number; last: number }
  | { event: 'signalled'; signal: string; pid: number | undefined }
  /** The program on disk is another one than that which runs. `leaves`: somebody starts it again. */
  | { event: 'replaced'; leaves: boolean }
  /** Something beside the point went wrong: the state that is kept, or what systemd is told. */
  | { event: 'impaired'; what: string; problem: string }
  | { event: 'daemonEnded'; exitCode: number; because: string }
>
