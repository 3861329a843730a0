import type { CommandValues } from '../config/commandOptions.js'
import type { Config } from '../config/resolve.js'

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

export type Context = Readonly<{
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
