import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkTarget, freeBytes, reserveOf, roomToCompress, roomToSpool } from '../backup/files.js'
import { tidyUp } from '../backup/putInPlace.js'
import { Failure } from '../model/fault.js'
import type { ClusterView } from '../model/member.js'
import type { Policy } from '../model/policy.js'

/** Pages are copied whole, and other programs write to the disk too. */
const MARGIN = 64 * 1024 * 1024 // bytes

/** Whether etcd's data is in that folder; one that cannot be read counts as none. */
export const holdsEtcd = (dataDir: string): Promise<boolean> =>
  stat(join(dataDir, 'member')).then(
    found => found.isDirectory(),
    () => false,
  )

/**
 * Removes what dead runs left beside the backup, their spool with every secret above all, whether this run will have
 * something to do or not. A folder that cannot be read is told of when a backup is to go there.
 */
export const tidyDisks = async ({ backupPath }: Policy): Promise<void> =>
  backupPath === undefined ? undefined : tidyUp(backupPath).catch(() => {})

/**
 * Throws where the disks of this node do not permit a run, before anything is touched: `backup` or `refused`. Resolves
 * to what else there is to say of them.
 */
export async function checkDisks(
  view: ClusterView,
  { job, backupPath, dataDir, forceDisk }: Policy,
): Promise<readonly string[]> {
  const local = view.members.find(m => m.member.id === view.local)
  const dbSizeInUse = local?.kind === 'reachable' ? local.status.dbSizeInUse : undefined
  if (backupPath !== undefined) await checkTarget(backupPath)
  const tight =
    backupPath === undefined || dbSizeInUse === undefined || forceDisk
      ? []
      : await checkBackupRoom(backupPath, dbSizeInUse)
  if (job === 'backup') return tight
  if (!(await holdsEtcd(dataDir)))
    return [
      ...tight,
      `there is no etcd data in ${dataDir}, so its disk is not checked; name the folder with --data-dir`,
    ]
  if (!forceDisk && dbSizeInUse !== undefined) await checkRoom(dataDir, dbSizeInUse)
  return [...tight, ...(await staleCopies(dataDir))]
}

/**
 * The disk of the data directory has room for the copy that a defragmentation makes of `dbSizeInUse` bytes (etcd:
 * server/storage/backend/backend.go, `defrag`): before 3.4.35 and 3.5.17 a full disk ends the member (etcd #18810).
 */
async function checkRoom(dataDir: string, dbSizeInUse: number): Promise<void> {
  const free = await freeBytes(dataDir)
  const needed = Math.ceil(dbSizeInUse * 1.1) + MARGIN
  if (free >= needed) return
  const problem = `the disk of ${dataDir} has ${free} bytes free, and a defragmentation of the local member copies ${dbSizeInUse} (with a margin, ${needed} are wanted); make room or override with --force-disk`
  throw new Failure({ kind: 'refused', check: 'disk', problem })
}

/** A snapshot is about as large as what is in use; it is spooled and compressed, or compressed as it comes. */
async function checkBackupRoom(backupPath: string, dbSizeInUse: number): Promise<readonly string[]> {
  const folder = dirname(backupPath)
  const free = (await freeBytes(folder)) - (await reserveOf(folder))
  if (free >= roomToSpool(dbSizeInUse)) return []
  const wanted = roomToCompress(dbSizeInUse)
  if (free < wanted) {
    const problem = `the disk of ${folder} has ${Math.max(0, free)} bytes free beyond its reserve, and an archive of ${dbSizeInUse} bytes in use may take ${wanted}; make room, set --backup-path, or override with --force-disk`
    throw new Failure({ kind: 'refused', check: 'disk', problem })
  }
  return [
    `the disk of ${folder} has no room to spool the snapshot: it will be compressed as it comes, and the database grows meanwhile`,
  ]
}

/** An interrupted defragmentation leaves its copy behind until etcd starts again (etcd: backend.go, `db.tmp.*`). */
async function staleCopies(dataDir: string): Promise<readonly string[]> {
  const folder = join(dataDir, 'member', 'snap')
  const names = await readdir(folder).catch(() => [])
  const copies = names.filter(name => name.startsWith('db.tmp'))
  return Promise.all(
    copies.map(async name => {
      const size = await stat(join(folder, name)).then(
        found => `${found.size} bytes`,
        () => 'gone meanwhile',
      )
      return `${join(folder, name)} (${size}) is left of an interrupted defragmentation; etcd removes it when it starts again`
    }),
  )
}
