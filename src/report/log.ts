import pino from 'pino'
import type { Event } from '../model/world.js'
import { endJson, recordJson, stepJson } from './json.js'
import { finishedText } from './terminal.js'
import { colorsFor, finishing, stepText, verdictText } from './text.js'

/** sd-daemon(3): a line that begins with <N> gets that priority in the journal. By pino's level numbers. */
const priorities: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

/**
 * One JSON object a line and event, on file descriptor `fd`: stable names in `event`, a sentence in `msg`.
 * `journal`: with the priority in front, for systemd.
 */
export function log(fd: number, journal: boolean): (event: Event) => void {
  const destination = pino.destination({ dest: fd, sync: true })
  destination.on('error', () => {}) // see the caller: a log that cannot be written ends nothing
  const prioritized = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(line: string) {
      destination.write(`<${priorities[this.lastLevel] ?? 6}>${line}`)
    },
  }
  const options = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const logger = pino(options, journal ? prioritized : destination)
  return event => {
    switch (event.event) {
      case 'started':
        return logger[event.notes.length === 0 ? 'info' : 'warn'](
          event,
          `run begins at ${event.endpoints.join(', ')}`,
        )
      case 'stepStarted':
        return logger.info(
          { event: event.event, ...stepJson(event.step), because: event.because },
          `step begins: ${stepText(event.step)}`,
        )
      case 'stepEnded': {
        const level = { done: 'info', warned: 'warn', unanswered: 'warn', failed: 'error' } as const
        const { outcome } = event.record
        return logger[level[outcome.kind]](
          { event: event.event, ...recordJson(event.record) },
          `step ends ${outcome.kind}: ${finishedText(event.record)}`,
        )
      }
      case 'waiting':
        return logger.info({ event: event.event, because: event.because }, `waiting: ${event.because}`)
      case 'interrupting':
        return logger.warn(
          { event: event.event, by: event.by, finishing: finishing[event.during?.kind ?? 'none'] },
          `interrupted by ${event.by}`,
        )
      case 'ended': {
        const { verdict } = event.report
        const message = `run ends: ${verdictText(verdict, colorsFor(false))}`
        return logger[verdict.kind === 'failed' ? 'error' : 'info'](
          { event: event.event, ...endJson(event.report) },
          message,
        )
      }
      case 'decided':
      case 'stepProgress':
        return
    }
  }
}
