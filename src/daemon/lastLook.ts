import { readFile } from 'node:fs/promises'
import type { LastLook } from '../model/daemon.js'
import { replaceFile } from '../system/replaceFile.js'

/** Where it is kept, so that a daemon knows what came due while there was none. */
export const lastLookFile = (stateDir: string): string => `${stateDir}/daemon.json`

/** Undefined where nothing is known: no such file, or one that cannot be understood. */
export async function readLastLook(stateDir: string): Promise<LastLook | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(lastLookFile(stateDir), 'utf8'))
    const { lookedAt, schedule, timezone } = value as Readonly<Record<string, unknown>>
    const at = typeof lookedAt === 'string' ? Date.parse(lookedAt) : Number.NaN
    if (Number.isNaN(at) || typeof schedule !== 'string') return undefined
    return { at, schedule, timezone: typeof timezone === 'string' ? timezone : undefined }
  } catch {
    return undefined // as good as none: then no run counts as missed
  }
}

/** Rejects where it cannot be written. */
export const writeLastLook = (stateDir: string, { at, schedule, timezone }: LastLook): Promise<void> =>
  replaceFile(
    lastLookFile(stateDir),
    `${JSON.stringify({ lookedAt: new Date(at).toISOString(), schedule, timezone: timezone ?? null })}\n`,
  )
