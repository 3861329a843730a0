import type { LastRun, Memory, Pace, Pause } from '../../model/coordination.js'
import type { MemberId } from '../../model/member.js'

/** Version of the shape of the values; another one is not understood. */
const FORMAT = 1
/** A pause that cannot be read is one until somebody ends it: 9999-12-31. */
const UNTIL_RESUMED = 253_402_214_400_000

/** Values by the names of their keys under the prefix. */
export type Found = ReadonlyMap<string, string>

/** How values are written: JSON, times as RFC 3339, so that `etcdctl get` shows something to read. */
export const written = {
  lastRun: ({ endedAt, ...rest }: LastRun): string =>
    JSON.stringify({ format: FORMAT, endedAt: new Date(endedAt).toISOString(), ...rest }),
  pause: ({ since, until, ...rest }: Pause): string =>
    JSON.stringify({
      format: FORMAT,
      since: new Date(since).toISOString(),
      until: new Date(until).toISOString(),
      ...rest,
    }),
}

/** What the values say. Those that cannot be understood are named; of them a pause counts all the same. */
export function memoryOf(found: Found, keyOf: (name: string) => string): Memory {
  const problems: string[] = []
  const read = <T>(name: string, parse: (fields: Fields) => T): T | undefined => {
    const value = found.get(name)
    if (value === undefined) return undefined
    try {
      return parse(fieldsOf(value))
    } catch (error) {
      problems.push(
        `the value of ${keyOf(name)} in etcd cannot be understood (${error instanceof Error ? error.message : error})`,
      )
      return undefined
    }
  }
  const pause = read('pause', parsePause)
  return {
    holder: read('lock', fields => textOf(fields, 'by')),
    lastRun: read('last-run', parseLastRun),
    pause: pause ?? (found.has('pause') ? unreadablePause : undefined),
    problems,
  }
}

const unreadablePause: Pause = {
  by: 'somebody',
  since: 0,
  until: UNTIL_RESUMED,
  reason: 'its value cannot be understood',
}

/** As `memoryOf`, for one pause from elsewhere. Throws Error where it cannot be understood. */
export const pauseOf = (value: string): Pause => parsePause(fieldsOf(value))

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: string): Fields {
  const fields: unknown = JSON.parse(value)
  if (typeof fields !== 'object' || fields === null) throw new Error('it is no JSON object')
  return fields as Fields
}

const parsePause = (fields: Fields): Pause => ({
  ...ofFormat(fields),
  by: textOf(fields, 'by'),
  since: timeOf(fields, 'since'),
  until: timeOf(fields, 'until'),
  reason: textOf(fields, 'reason'),
})

function parseLastRun(fields: Fields): LastRun {
  ofFormat(fields)
  const verdict = textOf(fields, 'verdict')
  if (verdict !== 'completed' && verdict !== 'failed')
    throw new Error(`verdict is ${JSON.stringify(verdict)}`)
  return {
    by: textOf(fields, 'by'),
    endedAt: timeOf(fields, 'endedAt'),
    verdict,
    exitCode: numberOf(fields, 'exitCode'),
    reason: fields['reason'] === undefined ? undefined : textOf(fields, 'reason'),
    backup: fields['backup'] === undefined ? undefined : textOf(fields, 'backup'),
    leftAlone: numberOf(fields, 'leftAlone'),
    paces: Array.isArray(fields['paces']) ? fields['paces'].map(parsePace) : [],
  }
}

const parsePace = (pace: unknown): Pace => ({
  member: textOf(pace as Fields, 'member') as MemberId,
  bytes: numberOf(pace as Fields, 'bytes'),
  tookMs: numberOf(pace as Fields, 'tookMs'),
})

/** Nothing, or Error for a value of another version of the program. */
function ofFormat({ format }: Fields): object {
  if (format !== FORMAT) throw new Error(`its format is ${JSON.stringify(format)}, expected ${FORMAT}`)
  return {}
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw new Error(`${name} is no text`)
  return value
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !(value >= 0)) throw new Error(`${name} is no number`)
  return value
}

function timeOf(fields: Fields, name: string): number {
  const time = Date.parse(textOf(fields, name))
  if (Number.isNaN(time)) throw new Error(`${name} is no time`)
  return time
}
