import { type FileHandle, lstat, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pid } from 'node:process'
import { Failure } from '../model/fault.js'

/** Names of files under way carry the process id, so that a later run can tell a dead run's from a live one's. */
const underWay = (path: string, owner: number | string, kind: 'spool' | 'partial'): string =>
  join(dirname(path), `.${basename(path)}.${owner}.${kind}`)

/** A file of ours that nobody else may read, removed when it goes out of scope unless it was renamed. */
export class OwnFile implements AsyncDisposable {
  readonly path: string
  readonly handle: FileHandle
  #kept = false

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.handle = handle
  }

  /** Creates it beside `target`, mode 0600 from the first byte; never follows or reuses what is there. */
  static async create(target: string, kind: 'spool' | 'partial'): Promise<OwnFile> {
    const path = underWay(target, pid, kind)
    await rm(path, { force: true }) // a dead run had our process id
    const handle = await open(path, 'wx+', 0o600)
    await handle.chmod(0o600) // a umask may have taken more away
    return new OwnFile(path, handle)
  }

  async write(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length; ) done += (await this.handle.write(chunk, done)).bytesWritten
  }

  async *read(): AsyncGenerator<Buffer> {
    const size = 1 << 20
    for (let position = 0; ; ) {
      const { bytesRead, buffer } = await this.handle.read(Buffer.allocUnsafe(size), 0, size, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  /** Takes the place of `target` so that a power cut leaves either the old file or the new one, whole. */
  async replace(target: string): Promise<void> {
    await this.handle.sync()
    await rename(this.path, target)
    this.#kept = true
    const folder = await open(dirname(target), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close()
    if (!this.#kept) await rm(this.path, { force: true })
  }
}

/** Removes what runs that no longer live left beside `target`. */
export async function removeLeftovers(target: string): Promise<void> {
  const folder = dirname(target)
  const prefix = `.${basename(target)}.`
  const files = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile())
  for (const { name: entry } of files) {
    const owner = entry.startsWith(prefix)
      ? /^(\d+)\.(?:spool|partial)$/.exec(entry.slice(prefix.length))?.[1]
      : undefined
    if (owner === undefined) continue
    const lives = owner !== String(pid) && (await exists(`/proc/${owner}`))
    if (!lives) await rm(join(folder, entry), { force: true })
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

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
  const present = await lstat(target).catch(() => undefined)
  if (present !== undefined && !present.isFile() && !present.isSymbolicLink())
    throw fail('there is something else than a file at that path; set --backup-path to a file')
}

export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
