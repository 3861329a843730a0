import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { freeBytes, isOurs, ownId, reserveOf } from '../backup/files.js'
import { Failure } from '../model/fault.js'

type Purpose = 'restore' | 'drill'

/** What etcd writes beside the database: two segments of its log, set aside at their full size (etcd: wal.SegmentSizeBytes). */
const LOG_BYTES = 2 * 64 * 1024 * 1024

/** A folder that nobody else can look into, removed with all that is in it when it goes out of scope. */
export class WorkFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Creates it in `parent`, after those that dead runs left there are removed. */
  static async create(parent: string, purpose: Purpose): Promise<WorkFolder> {
    await removeDead(parent, purpose)
    const path = join(parent, `.etcd-defrag-${purpose}.${await ownId()}-${randomUUID().slice(0, 8)}`)
    await mkdir(path, { mode: 0o700 }) // never one that is there already
    return new WorkFolder(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function removeDead(parent: string, purpose: Purpose): Promise<void> {
  const own = (await stat('/proc/self')).uid
  for (const name of await readdir(parent)) {
    const [, kind, owner] = /^\.etcd-defrag-(restore|drill)\.(\d+)-[0-9a-f]{8}$/.exec(name) ?? []
    if (kind !== purpose || owner === undefined) continue
    const path = join(parent, name)
    const found = await lstat(path).catch(() => undefined) // gone meanwhile
    if (found?.isDirectory() !== true || found.uid !== own) continue
    const lives = owner !== (await ownId()) && (await isOurs(owner))
    if (!lives) await rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Throws a `refused` fault where `folder` has no room for the snapshot, the database made of it, and etcd's log. */
export async function refuseWithoutRoom(
  folder: string,
  snapshotBytes: number,
  option: string,
): Promise<void> {
  const wanted = 2 * snapshotBytes + LOG_BYTES
  const room = (await freeBytes(folder)) - (await reserveOf(folder))
  if (room >= wanted) return
  const problem = `${option}: ${folder} has ${Math.max(0, room)} bytes free beyond the reserve, and the snapshot, its database and etcd's log take ${wanted}; make room there`
  throw new Failure({ kind: 'refused', check: 'room', problem })
}

/** tmpfs(5): TMPFS_MAGIC and RAMFS_MAGIC, of linux/magic.h. */
export const isInMemory = async (folder: string): Promise<boolean> =>
  [0x01021994, 0x858458f6].includes((await statfs(folder)).type)
