import { readFile } from 'node:fs/promises'
import type { LastRun, Note } from '../model/daemon.js'
import { replaceFile } from '../system/replaceFile.js'

/** Where it is kept, so that a daemon knows what came due while there was none. */
export const noteFile = (stateDir: string): string => `${stateDir}/daemon.json`

/** Undefined where nothing is known: no such file, or one that cannot be understood. */
export async function readNote(stateDir: string): Promise<Note | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(noteFile(stateDir), 'utf8'))
    const { lookedAt, bootId, schedule, timezone, owesRun, lastRun } = value as Readonly<
      Record<string, unknown>
    >
    const at = instantIn(lookedAt)
    if (at === undefined || typeof schedule !== 'string') return undefined
    return {
      at,
      bootId: typeof bootId === 'string' ? bootId : undefined,
      schedule,
      timezone: typeof timezone === 'string' ? timezone : undefined,
      owesRun: owesRun === true,
      lastRun: lastRunIn(lastRun),
    }
  } catch {
    return undefined // as good as none: then no run counts as missed
  }
}

function lastRunIn(value: unknown): LastRun | undefined {
  const { verdict, endedAt } = (value ?? {}) as Readonly<Record<string, unknown>>
  const at = instantIn(endedAt)
  return typeof verdict === 'string' && at !== undefined ? { verdict, at } : undefined
}

function instantIn(value: unknown): number | undefined {
  const instant = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(instant) ? undefined : instant
}

/** Rejects where it cannot be written. */
export function writeNote(stateDir: string, note: Note): Promise<void> {
  const { at, bootId = null, schedule, timezone = null, owesRun, lastRun } = note
  const last = lastRun === undefined ? null : { verdict: lastRun.verdict, endedAt: iso(lastRun.at) }
  const written = { lookedAt: iso(at), bootId, schedule, timezone, owesRun, lastRun: last }
  return replaceFile(noteFile(stateDir), `${JSON.stringify(written)}\n`)
}

const iso = (instant: number): string => new Date(instant).toISOString()
