import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import {
  access,
  type FileHandle,
  lstat,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../model/fault.js'

type Kind = 'spool' | 'partial' | 'provenance'

/** Names of files under way carry the process id, so that a later run can tell a dead run's from a live one's. */
const underWay = (path: string, owner: string, kind: Kind): string =>
  join(dirname(path), `.${basename(path)}.${owner}-${randomUUID().slice(0, 8)}.${kind}`)

/** Bytes between two looks at the free disk. */
const LOOK_EVERY = 4 * 1024 * 1024

/** Bytes of one read(2) of a file of ours. */
const READ = 256 * 1024

/** The disk has less free than must be left to others. */
export class OutOfReserve extends Error {
  override readonly name = 'OutOfReserve'
  readonly code = 'ERESERVE'
}

/** A file of ours that nobody else may read, removed when it goes out of scope unless it was renamed. */
export class OwnFile implements AsyncDisposable {
  readonly path: string
  readonly handle: FileHandle
  #kept = false
  #sinceLook = LOOK_EVERY // the first write looks
  #written = 0
  #isGrowing = false
  #wakeReader = () => {}

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.handle = handle
  }

  /** Creates it beside `target`, mode 0600 from the first byte; never follows or reuses what is there. */
  static async create(target: string, kind: Kind): Promise<OwnFile> {
    const path = underWay(target, await ownId(), kind)
    const handle = await open(path, 'wx+', 0o600)
    await handle.chmod(0o600) // a umask may have taken more away
    return new OwnFile(path, handle)
  }

  /** Throws ENOSPC-like `OutOfReserve` rather than fill a disk that others need as well, etcd perhaps among them. */
  async write(chunk: Buffer): Promise<void> {
    this.#sinceLook += chunk.length
    if (this.#sinceLook >= LOOK_EVERY) {
      this.#sinceLook = 0
      const folder = dirname(this.path)
      if ((await freeBytes(folder)) < (await reserveOf(folder))) throw new OutOfReserve()
    }
    await writeAll(this.handle, chunk)
    this.#written += chunk.length
  }

  /** Its size, once it does not grow any more. */
  get bytes(): number | undefined {
    return this.#isGrowing ? undefined : this.#written
  }

  /** As long as `work` goes on writing, one that reads at the same time waits for more at the end. */
  async fill(work: (write: (chunk: Buffer) => Promise<void>) => Promise<void>): Promise<void> {
    this.#isGrowing = true
    try {
      await work(async chunk => {
        await this.write(chunk)
        this.#wakeReader()
      })
    } finally {
      this.#isGrowing = false
      this.#wakeReader()
    }
  }

  /** From its beginning, each piece only until the next one is asked for; `see` gets it first. */
  async *read(see: (chunk: Buffer) => void = () => {}): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(READ)
    for (let position = 0; ; ) {
      // No further than was written: on some processors the kernel shows the end of a file before what is there.
      const most = this.#isGrowing ? Math.min(READ, this.#written - position) : READ
      if (most === 0) {
        await new Promise<void>(resolve => (this.#wakeReader = resolve))
        continue
      }
      const { bytesRead } = await this.handle.read(buffer, 0, most, position)
      if (bytesRead === 0) return
      position += bytesRead
      const chunk = buffer.subarray(0, bytesRead)
      see(chunk)
      yield chunk
    }
  }

  sync(): Promise<void> {
    return this.handle.sync()
  }

  /** Takes the place of `target`; the old file is there until then. Synced before, a power cut leaves one of the two, whole. */
  async moveTo(target: string): Promise<void> {
    const [ours, there] = await Promise.all([this.handle.stat(), lstat(this.path)])
    if (ours.dev !== there.dev || ours.ino !== there.ino)
      throw new Error(
        `${this.path} is not the file any more that was written; does another program write there?`,
      )
    await rename(this.path, target)
    this.#kept = true
  }

  /** Before it goes out of scope, which does the same. */
  async remove(): Promise<void> {
    await this.handle.close()
    if (!this.#kept) await rm(this.path, { force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove()
  }
}

/** write(2) may take less than it is given. */
export async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten
}

/** Bytes that go into one write(2) of `writeGathered`. */
const GATHERED = 1024 * 1024

/**
 * Writes what comes in large pieces, one while the next fills up: a write for each of etcd's blobs of 32 KiB takes longer
 * than to receive them, and keeps its read transaction open.
 */
export async function writeGathered(file: OwnFile, source: AsyncIterable<Buffer>): Promise<void> {
  let [filling, other] = [Buffer.allocUnsafeSlow(GATHERED), Buffer.allocUnsafeSlow(GATHERED)]
  let filled = 0
  let written = Promise.resolve()
  const flush = async () => {
    await written
    written = file.write(filling.subarray(0, filled))
    written.catch(() => {}) // it is thrown where it is waited for
    ;[filling, other] = [other, filling]
    filled = 0
  }
  for await (const chunk of source)
    for (let from = 0; from < chunk.length; ) {
      const took = chunk.copy(filling, filled, from)
      from += took
      filled += took
      if (filled === filling.length) await flush()
    }
  await flush()
  await written
}

/** Makes a renamed file's new name durable (fsync(2)). */
export async function syncFolder(target: string): Promise<void> {
  const folder = await open(dirname(target), 'r')
  await folder.sync().finally(() => folder.close())
}

/** What runs that no longer live left beside `target`. */
export async function leftoversOf(target: string): Promise<readonly string[]> {
  const folder = dirname(target)
  const prefix = `.${basename(target)}.`
  const files = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile())
  const found = files.map(async ({ name: entry }) => {
    const owner = entry.startsWith(prefix)
      ? /^(\d+)(?:-[0-9a-f]{8})?\.(?:spool|partial|provenance)$/.exec(entry.slice(prefix.length))?.[1]
      : undefined
    return owner === undefined || (await isOfAnotherRun(owner)) ? [] : [join(folder, entry)]
  })
  return (await Promise.all(found)).flat()
}

/** proc(5): our process id. */
export const ownId = (): Promise<string> => readlink('/proc/self')

/**
 * Whether what carries that process id belongs to another run that lives: such a process has our name, since after a reboot
 * another program may have the id. What carries our own was left by a dead run, before we took any up.
 */
export async function isOfAnotherRun(id: string): Promise<boolean> {
  if (id === (await ownId())) return false
  const nameOf = (process: string) => readFile(`/proc/${process}/comm`, 'utf8').catch(() => undefined)
  return (await nameOf(id)) === (await nameOf('self'))
}

/** What an operator can do about the common ways in which a folder takes no file; undefined for others. */
export function writeProblem(folder: string, { code, message }: NodeJS.ErrnoException): string | undefined {
  const known: Record<string, string> = {
    ENOSPC: `no space left in ${folder}; make room there or set --backup-path`,
    ERESERVE: `hardly any space left in ${folder}, which others need too; make room there or set --backup-path`,
    EDQUOT: `the quota of ${folder} is used up; make room there or set --backup-path`,
    EROFS: `${folder} is on a read-only file system; set --backup-path, or open it where the systemd unit shuts it (systemctl edit etcd-defrag, and -drill or -daemon where they run: [Service] ReadWritePaths=${folder})`,
    EACCES: `no permission to write in ${folder}; run as root or set --backup-path`,
    EPERM: `no permission to write in ${folder}; run as root or set --backup-path`,
    EIO: `the disk under ${folder} answers with errors (${message}); look at the kernel log`,
  }
  return known[code ?? '']
}

/** Who beside root and us may swap what lies in a folder, sticky or not; undefined for nobody. */
export async function strangerTo({ mode, uid }: Stats): Promise<'anybody' | `user ${number}` | undefined> {
  if ((mode & 0o002) !== 0) return 'anybody'
  const own = (await stat('/proc/self')).uid
  return uid === 0 || uid === own ? undefined : `user ${uid}`
}

/** Throws a `backup` fault where no archive could ever be put in place; touches nothing. */
export async function checkTarget(target: string): Promise<void> {
  const fail = (problem: string, cause?: unknown) =>
    new Failure({ kind: 'backup', path: target, problem }, cause)
  const folder = await stat(dirname(target)).catch(cause => {
    throw fail(
      `its folder ${dirname(target)} cannot be used (${cause.code ?? cause}); create it or set --backup-path`,
      cause,
    )
  })
  if (!folder.isDirectory()) throw fail(`${dirname(target)} is not a folder; set --backup-path`)
  const stranger = await strangerTo(folder)
  if (stranger === 'anybody') {
    const isShared = (folder.mode & 0o1000) !== 0 // as /tmp is, which has to stay open
    const mend = isShared
      ? "set --backup-path to a folder of root's own"
      : 'chmod o-w it or set --backup-path'
    throw fail(
      `anybody may write to its folder ${dirname(target)} (mode ${(folder.mode & 0o7777).toString(8)}), and the archive holds every secret; ${mend}`,
    )
  }
  if (stranger !== undefined)
    throw fail(
      `its folder ${dirname(target)} belongs to ${stranger}, who can swap the archive; chown it or set --backup-path`,
    )
  const present = await lstat(target).catch(() => undefined)
  if (present?.isSymbolicLink())
    throw fail(
      `there is a symbolic link at that path (to ${await readlink(target).catch(() => '?')}); set --backup-path to the file itself`,
    )
  if (present !== undefined && !present.isFile())
    throw fail(
      `there is ${present.isDirectory() ? 'a folder' : 'something else than a file'} at that path; set --backup-path to a file`,
    )
  await access(dirname(target), constants.W_OK).catch(cause => {
    throw fail(
      writeProblem(dirname(target), cause) ?? `its folder cannot be written to (${cause.code ?? cause})`,
      cause,
    )
  })
}

/** The spool at its full size and an archive at worst half of it. */
export const roomToSpool = (snapshotBytes: number): number =>
  Math.ceil(snapshotBytes * 1.5) + 16 * 1024 * 1024

/** An archive alone: Kubernetes' objects shrink to a seventh (`npm run bench -- compression`); a sixth leaves a margin. */
export const roomToCompress = (snapshotBytes: number): number => Math.ceil(snapshotBytes / 6)

/** What a backup leaves free: 5 % of the file system, 64 MiB of a large one. */
export async function reserveOf(folder: string): Promise<number> {
  const { blocks, bsize } = await statfs(folder)
  return Math.min(64 * 1024 * 1024, Math.floor((blocks * bsize) / 20))
}

export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
