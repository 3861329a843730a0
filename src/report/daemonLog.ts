import type { DaemonEvent, Settings } from '../model/daemon.js'
import { age, span } from './format.js'

type Level = 'info' | 'warn' | 'error'
type Line = Readonly<{ level: Level; msg: string; fields?: Readonly<Record<string, unknown>> }>
/** An instant as the clocks of the daemon's zone show it. */
type Shown = (instant: number) => string

/** sd-daemon(3), as in log.ts. */
const priorities: Readonly<Record<Level, number>> = { info: 6, warn: 4, error: 3 }

/**
 * An event as a line: on a terminal a sentence, else a JSON object of the fields that the lines of a run have. Not by
 * pino: the daemon lives for months, and it takes a fifth more memory than bare Node.
 */
export function daemonLine(
  event: DaemonEvent,
  now: number,
  shown: Shown,
  { terminal, journal }: Readonly<{ terminal: boolean; journal: boolean }>,
): string {
  const { level, msg, fields = {} } = lineOf(event, shown)
  if (terminal) return `${shown(now)}  ${msg}\n`
  const line = { level, time: iso(now), event: event.event, ...fields, msg }
  return `${journal ? `<${priorities[level]}>` : ''}${JSON.stringify(line)}\n`
}

function lineOf(event: DaemonEvent, shown: Shown): Line {
  switch (event.event) {
    case 'daemonStarted': {
      const fields = { version: event.version, ...settingsFields(event.settings) }
      return { level: 'info', msg: `daemon begins: ${settingsWords(event.settings)}`, fields }
    }
    case 'scheduled':
      return {
        level: 'info',
        msg: `next run at ${shown(event.next)}`,
        fields: { next: iso(event.next), local: shown(event.next) },
      }
    case 'missed': {
      const { count, first, last, because, caughtUp } = event
      const times = count === 1 ? 'the run of' : `${count} runs, the first of ${shown(first)}, the last of`
      const then = caughtUp ? '; one is begun as soon as can be' : ''
      return {
        level: 'warn',
        msg: `missed ${times} ${shown(last)}: ${because}${then}`,
        fields: { count, first: iso(first), last: iso(last), because, caughtUp },
      }
    }
    case 'runStarted': {
      const { pid, due } = event
      const reason = due === undefined ? 'in place of one that was missed' : `due at ${shown(due)}`
      const fields = { pid: pid ?? null, due: due === undefined ? null : iso(due) }
      return { level: 'info', msg: `run begins as process ${pid ?? '?'}, ${reason}`, fields }
    }
    case 'runEnded': {
      const { pid, end, verdict, tookMs } = event
      const exitCode = end.kind === 'exited' ? end.code : null
      const signal = end.kind === 'killed' ? end.signal : null
      return {
        level: exitCode === 0 ? 'info' : 'error',
        msg: `run ends after ${span(tookMs)}: ${verdict}`,
        fields: { pid: pid ?? null, exitCode, signal, verdict, tookMs },
      }
    }
    case 'reloaded':
      return {
        level: 'info',
        msg: `configuration read again: ${settingsWords(event.settings)}`,
        fields: settingsFields(event.settings),
      }
    case 'reloadFailed':
      return {
        level: 'error',
        msg: `configuration cannot be used, and the schedule stays as it was: ${event.problem}`,
        fields: { problem: event.problem },
      }
    case 'clockSetAhead':
      return {
        level: 'warn',
        msg: `the clock was set ahead by ${age(event.byMs)}, and so was wrong before; no run counts as missed for that`,
        fields: { byMs: event.byMs },
      }
    case 'clockSetBack':
      return {
        level: 'warn',
        msg: `the clock was set back by ${span(event.byMs)}; no run is repeated for that`,
        fields: { byMs: event.byMs },
      }
    case 'repeated': {
      const { count, first, last } = event
      const msg = `no run at ${shown(last)}, which the clock has shown before: that time was answered then`
      return { level: 'info', msg, fields: { count, first: iso(first), last: iso(last) } }
    }
    case 'signalled': {
      const { signal, pid } = event
      const msg =
        pid === undefined ? signal : `${signal}, passed on to the run under way, which ends its step`
      return { level: 'warn', msg, fields: { signal, pid: pid ?? null } }
    }
    case 'replaced':
      return {
        level: 'info',
        msg: event.leaves
          ? 'the program on disk is another one: this one ends, so that the new one is started'
          : 'the program on disk is another one: runs are of the new one, and the daemon is once it is started again',
        fields: { leaves: event.leaves },
      }
    case 'impaired':
      return {
        level: 'warn',
        msg: `${event.what}: ${event.problem}`,
        fields: { what: event.what, problem: event.problem },
      }
    case 'daemonEnded':
      return {
        level: 'info',
        msg: `daemon ends: ${event.because}`,
        fields: { exitCode: event.exitCode, because: event.because },
      }
  }
}

const iso = (instant: number): string => new Date(instant).toISOString()

const settingsWords = ({ schedule, zone, catchUp }: Settings): string =>
  `${schedule.text} in ${zone}, runs that are missed ${catchUp ? 'caught up' : 'left out'}`

const settingsFields = ({ schedule, zone, catchUp }: Settings) => ({
  schedule: schedule.text,
  timezone: zone,
  catchUp,
})
