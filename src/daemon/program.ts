import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { type Run, type RunEnd, SETTINGS_FORMAT, type Settings } from '../model/daemon.js'
import type { Environment } from '../model/environment.js'
import { Failure } from '../model/fault.js'

/** How long it may take to read the configuration. */
const PATIENCE_MS = 60_000

/** Ours alone: what a run said with them would be taken for the daemon's word (sd_notify(3), NotifyAccess=all). */
const OURS = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']

/** This program as it is on disk, to be started again. */
export class Program {
  readonly #self: readonly [string, ...string[]]
  readonly #environment: Environment

  constructor(self: readonly [string, ...string[]], environment: Environment) {
    this.#self = self
    this.#environment = Object.fromEntries(
      Object.entries(environment).filter(([name]) => !OURS.includes(name)),
    )
  }

  /**
   * Starts it beside this process, with our own standard output and error. It is in a session of its own: Ctrl-C in a
   * terminal reaches us alone, and is passed on once.
   */
  start(words: readonly string[]): Run {
    const [node, ...rest] = this.#self
    const child = spawn(node, [...rest, ...words], {
      env: this.#environment,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    })
    const ended = once(child, 'exit').then(
      ([code, signal]): RunEnd =>
        typeof code === 'number' ? { kind: 'exited', code } : { kind: 'killed', signal: String(signal) },
      (error): RunEnd => ({
        kind: 'unstarted',
        problem: error instanceof Error ? error.message : String(error),
      }),
    )
    return { pid: child.pid, kill: signal => void child.kill(signal as NodeJS.Signals), ended }
  }

  /**
   * What `daemon settings` makes of `words` and of the configuration as it is now. It is read by a process of its own,
   * since parsers stay in memory. Throws a `config` fault with that process' words, and Error for settings that are not ours.
   */
  async settings(words: readonly string[]): Promise<Settings> {
    const [node, ...rest] = this.#self
    const child = spawn(node, [...rest, 'daemon', 'settings', ...words], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
    })
    const output = Promise.all([text(child.stdout), text(child.stderr)])
    const [code, signal] = await once(child, 'close')
    const [stdout, stderr] = await output
    if (code === 0) return settingsIn(stdout)
    const said = stderr.replaceAll(/^(<\d>)?etcd-defrag: /gm, '').trim()
    const [, option, problem] = /^(.+?): (.*)$/s.exec(said) ?? []
    if (option === undefined || problem === undefined)
      throw new Error(`daemon settings ended with ${code ?? signal}: ${said}`)
    throw new Failure({ kind: 'config', option, problem })
  }

  /** Gives what tells whether the program on disk is another one than now; a file that is missing meanwhile is none yet. */
  async watch(): Promise<() => Promise<boolean>> {
    const files = [this.#self[0], this.#self.at(-1) ?? '']
    const stamps = () => Promise.all(files.map(stampOf))
    const before = await stamps()
    return async () => {
      const now = await stamps()
      return !now.includes(undefined) && now.some((stamp, i) => stamp !== before[i])
    }
  }
}

/** The program on disk may be a newer one than this. Throws Error where its settings are of another format. */
function settingsIn(stdout: string): Settings {
  const { format, ...settings } = JSON.parse(stdout) as Settings & { format: unknown }
  if (format === SETTINGS_FORMAT) return settings
  throw new Error(
    `daemon settings are of format ${format}, and this daemon, which is of another version than the program on disk, expected ${SETTINGS_FORMAT}; start it again`,
  )
}

const stampOf = (file: string): Promise<string | undefined> =>
  stat(file).then(
    ({ dev, ino, mtimeMs, size }) => [dev, ino, mtimeMs, size].join(' '),
    () => undefined,
  )
