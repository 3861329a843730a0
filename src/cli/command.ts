import type { CommandValues } from '../config/commandOptions.js'
import type { Config } from '../config/resolve.js'
import type { Source } from '../config/sources.js'
import type { Environment } from '../model/environment.js'

export type Output = NodeJS.WritableStream & { isTTY?: boolean; columns?: number }

/** Where output goes, and what is known of it. */
export type Console = Readonly<{
  stdout: Output
  stderr: Output
  /** NO_COLOR (no-color.org), TERM=dumb. */
  colors: boolean
  /** Lines can be written over (not TERM=dumb). */
  live: boolean
  /** Standard error is the journal's stream (systemd.exec(5), JOURNAL_STREAM). */
  journal: boolean
}>

/** Signals as they come. */
export type Signals = Readonly<{
  /** Aborted, with the signal's name, by the first SIGTERM, SIGINT or SIGHUP that nobody took. */
  stop: AbortSignal
  /** From now on every one of them is told to `heard`, by its name, and `stop` stays as it is. */
  take(heard: (signal: string) => void): void
}>

/** This process, as far as anything but main.ts needs it. */
export type Invocation = Readonly<{
  argv: readonly string[]
  environment: Environment
  /** Of this program. */
  version: string
  out: Console
  signals: Signals
  /** What starts this program again: Node, its flags, the entry file. */
  self: readonly [string, ...string[]]
  /** Sets the time zone of this process (tzset(3)); undefined for the one that it began with. */
  setTimeZone(name: string | undefined): void
  /** CLOCK_MONOTONIC (clock_gettime(2)), microseconds. */
  monotonicUs(): bigint
}>

export type Context = Readonly<{
  invocation: Invocation
  /** What the command line gave, for those who hand it on. */
  flags: Source
  config: Config
  out: Console
  stop: AbortSignal
  own: CommandValues
  /** What a command that works on a file was given. */
  file: string | undefined
  /** Of this program. */
  version: string
}>

/** Does its work and gives the exit code. Throws `Failure` when it could not begin. */
export type Command = (context: Context) => Promise<number>
