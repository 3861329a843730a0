import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, rmdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { freeBytes, isOfAnotherRun, ownId, reserveOf } from '../backup/files.js'
import { Failure } from '../model/fault.js'

type Purpose = 'restore' | 'drill'

/** What etcd writes beside the database: two segments of its log, set aside at their full size (etcd: wal.SegmentSizeBytes). */
const LOG_BYTES = 2 * 64 * 1024 * 1024

/**
 * A folder that nobody else can look into, removed with all that is in it when it goes out of scope.
 *
 * The folder around it may be another user's, such as a data directory that is a disk of its own. They cannot enter ours,
 * but they can move it and put a link in its place. All work goes through an open descriptor of the folder itself, so that
 * its name is used for two things only: mkdir(2), which takes no name that is there, and rmdir(2), which follows no link.
 */
export class WorkFolder implements AsyncDisposable {
  /** For people. */
  readonly path: string
  /** For programs; what they start finds it as its working folder. */
  readonly inside: string
  readonly #handle: FileHandle
  #isOver = false

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.inside = insideOf(handle)
    this.#handle = handle
  }

  /** Creates it in `parent`, after those that dead runs left there are removed. */
  static async create(parent: string, purpose: Purpose): Promise<WorkFolder> {
    await removeDead(parent)
    const path = join(parent, `.etcd-defrag-${purpose}.${await ownId()}-${randomUUID().slice(0, 8)}`)
    // Never one that is there already.
    await mkdir(path, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'EROFS' ? new Error(readOnly(parent, purpose), { cause }) : cause
    })
    const handle = await openOwn(path)
    if (handle !== undefined && (await readdir(insideOf(handle))).length === 0)
      return new WorkFolder(path, handle)
    await handle?.close()
    const problem = `${path} is not the folder any more that was made there; who else works in ${parent}?`
    throw new Failure({ kind: 'refused', check: 'workFolder', problem })
  }

  async remove(): Promise<void> {
    this.#isOver = true
    await removeWith(this.#handle, this.path)
  }

  /** Does not hide what went wrong before: a later run removes what could not be removed now. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.remove().catch(() => {})
  }
}

const readOnly = (parent: string, purpose: Purpose): string =>
  purpose === 'restore'
    ? `${parent} is on a read-only file system`
    : `${parent} is on a read-only file system; set --drill-dir, or open it where the systemd unit shuts it (systemctl edit etcd-defrag-drill: [Service] ReadWritePaths=${parent})`

/** proc(5): leads to what is open, whatever has its name by now. */
const insideOf = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`

/** Undefined where there is no folder, or none that is ours alone. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  const handle = await open(path, flags).catch(() => undefined)
  if (handle === undefined) return undefined
  const [{ uid, mode }, own] = [await handle.stat(), (await stat('/proc/self')).uid]
  if (uid === own && (mode & 0o077) === 0) return handle
  await handle.close()
  return undefined
}

async function removeWith(handle: FileHandle, path: string): Promise<void> {
  try {
    for (const name of await readdir(insideOf(handle)))
      await rm(join(insideOf(handle), name), { recursive: true, force: true, maxRetries: 3 })
  } finally {
    await handle.close()
  }
  await rmdir(path)
}

/** Those of every purpose; one that cannot be removed is in nobody's way. */
async function removeDead(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, owner] = /^\.etcd-defrag-(?:restore|drill)\.(\d+)-[0-9a-f]{8}$/.exec(name) ?? []
    if (owner === undefined || (await isOfAnotherRun(owner))) continue
    const handle = await openOwn(join(parent, name))
    if (handle !== undefined) await removeWith(handle, join(parent, name)).catch(() => {})
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
