import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { freeBytes } from '../backup/files.js'
import { Failure } from '../model/fault.js'

/** Pages are copied whole, and other programs write to the disk too. */
const MARGIN = 64 * 1024 * 1024 // bytes

/** Whether etcd's data is in that folder; one that cannot be read counts as none. */
export const holdsEtcd = (dataDir: string): Promise<boolean> =>
  stat(join(dataDir, 'member')).then(
    found => found.isDirectory(),
    () => false,
  )

/**
 * Throws a `refused` fault where the disk of the data directory has no room for the copy that a defragmentation makes
 * of `dbSizeInUse` bytes (etcd: server/storage/backend/backend.go, `defrag`): before 3.4.35 and 3.5.17 a full disk ends
 * the member (etcd #18810). A folder without etcd's data is not this member's, and nothing is known then.
 */
export async function checkRoom(dataDir: string, dbSizeInUse: number): Promise<void> {
  if (!(await holdsEtcd(dataDir))) return
  const free = await freeBytes(dataDir)
  const needed = Math.ceil(dbSizeInUse * 1.1) + MARGIN
  if (free >= needed) return
  const problem = `the disk of ${dataDir} has ${free} bytes free, and a defragmentation of the local member copies ${dbSizeInUse} (with a margin, ${needed} are wanted); make room or override with --force-disk`
  throw new Failure({ kind: 'refused', check: 'disk', problem })
}
