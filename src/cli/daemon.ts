import { uptime } from 'node:os'
import { withoutPassword } from '../daemon/credentials.js'
import { Daemon } from '../daemon/daemon.js'
import { readNote, writeNote } from '../daemon/note.js'
import { Program } from '../daemon/program.js'
import type { DaemonWorld } from '../daemon/world.js'
import { ownZone } from '../daemon/zone.js'
import type { DaemonEvent } from '../model/daemon.js'
import { faultOf } from '../model/fault.js'
import { exitCodeOf } from '../model/verdict.js'
import { daemonLine } from '../report/daemonLog.js'
import { bootIdOf } from '../system/bootId.js'
import { notifier } from '../system/notify.js'
import type { Command, Invocation } from './command.js'
import { complain } from './complaint.js'

/** `etcd-defrag --some-flag daemon`: as below, and what has read the flags stays in memory. */
export const daemonCommand: Command = async ({ invocation, flags }) =>
  daemon(invocation, (await import('./words.js')).wordsOf(flags))

/** `etcd-defrag daemon`: gives the exit code at its end. Never throws; imports nothing that it does not need for months. */
export async function daemon(invocation: Invocation, given: readonly string[]): Promise<number> {
  const { out, signals } = invocation
  const { words, environment } = withoutPassword({ words: given, environment: invocation.environment })
  const early: string[] = signals.stop.aborted ? [String(signals.stop.reason)] : []
  let hear: (signal: string) => void = signal => void early.push(signal)
  signals.take(signal => hear(signal))
  const program = new Program(invocation.self, environment)
  try {
    const isReplaced = await program.watch()
    const settings = await program.settings(words)
    const world = worldOf(invocation, program, words, isReplaced, await bootIdOf())
    const one = new Daemon(world, settings, await readNote(settings.stateDir))
    hear = signal => one.hear(signal)
    for (const signal of early) one.hear(signal)
    return await one.run()
  } catch (error) {
    const fault = faultOf(error)
    complain(out, fault)
    return exitCodeOf({ kind: 'failed', fault })
  }
}

function worldOf(
  { environment, out, monotonicUs, setTimeZone, version }: Invocation,
  program: Program,
  words: readonly string[],
  isReplaced: () => Promise<boolean>,
  bootId: string | undefined,
): DaemonWorld {
  const { shown } = ownZone('')
  const tell = (event: DaemonEvent) => {
    const form = { terminal: out.stderr.isTTY === true, journal: out.journal }
    out.stderr.write(daemonLine(event, Date.now(), shown, form))
  }
  const impaired = (what: string) => (problem: string) => tell({ event: 'impaired', what, problem })
  const socket = environment['NOTIFY_SOCKET']
  const watchdogMs = Number(environment['WATCHDOG_USEC'] ?? Number.NaN) / 1000
  let writes: Promise<void> = Promise.resolve()
  return {
    now: Date.now,
    steadily: () => uptime() * 1000, // CLOCK_BOOTTIME; performance.now() stops while the machine sleeps
    after: (ms, then) => {
      const timer = setTimeout(then, ms)
      return () => clearTimeout(timer)
    },
    start: run => program.start(run),
    zoneOf: ({ timezone, zone }) => {
      setTimeZone(timezone === undefined ? undefined : zone)
      return ownZone(zone)
    },
    reread: () => program.settings(words),
    isReplaced,
    remember: (stateDir, note) => {
      writes = writes
        .then(() => writeNote(stateDir, note))
        .catch(error => impaired(`--state-dir ${stateDir} takes no note of the schedule`)(String(error)))
      return writes
    },
    tell,
    notify: notifier(socket, impaired('systemd-notify')),
    monotonicUs,
    bootId,
    watchdogMs: watchdogMs > 0 ? watchdogMs : undefined,
    isKept: socket !== undefined && socket !== '',
    version,
  }
}
