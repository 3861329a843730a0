import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Actor } from './actor.js'
import { holdsEtcd } from './disks.js'

/** A disk that takes longer to discard should not hold up the end of the run. */
const TIMEOUT_MS = 15 * 60_000

/**
 * Runs `fstrim -v` (fstrim(8)) on the file system that holds the data directory. Whatever goes wrong is a
 * warning: a disk that cannot be trimmed is no worse than before.
 */
export const trim: Actor<'trim'> = async ({ path }, { world, stop }) => {
  const warn = (problem: string) => ({ kind: 'warned', problem: `trim of ${path}: ${problem}` }) as const
  if (!(await holdsEtcd(path)))
    return warn(
      'no etcd data there (no folder `member`); name the data directory with --data-dir or use --no-trim',
    )
  const late = AbortSignal.timeout(TIMEOUT_MS)
  try {
    await commitFrees(join(path, 'member', 'snap'))
    const { exitCode, stdout, stderr } = await world.exec(
      'fstrim',
      ['-v', path],
      AbortSignal.any([stop, late]),
    )
    const said = (stdout || stderr).trim()
    if (exitCode !== 0) return warn(said === '' ? `fstrim ended with ${exitCode}` : said)
    const bytes = Number(/\((\d+) bytes\)/.exec(said)?.[1] ?? /(\d+) B\b/.exec(said)?.[1] ?? 0)
    return { kind: 'done', result: { bytes, said }, warnings: [] }
  } catch (error) {
    stop.throwIfAborted()
    if (late.aborted) return warn(`fstrim did not end within ${TIMEOUT_MS / 60_000} min and was stopped`)
    return warn(error instanceof Error ? error.message : String(error))
  }
}

/**
 * A file system can trim only what its journal has committed as free. A defragmentation has just renamed over the old
 * database in this folder, and syncing the folder commits that: else 200 MB freed a moment ago stay on the disk
 * (jbd2 commits every 5 s by itself; ext4(5), `commit=`).
 */
async function commitFrees(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined) // no such folder yet: nothing was freed in it
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}
