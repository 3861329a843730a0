import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, open as openFile } from 'node:fs/promises'
import type { Checksum } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import { isMeta } from './bolt/meta.js'
import { collectOften } from './collectOften.js'
import { decompress, XzDamage } from './xz.js'

/** How reading is watched: `tell` hears how many bytes of the file the pass has read, and of how many. */
export type Watch = Readonly<{
  signal: AbortSignal
  tell?: (pass: number, bytes: number, of: number) => void
}>

/** Bytes of one read(2). */
const READ = { xz: 64 * 1024, db: 1024 * 1024 }

/** A file with a snapshot in it, open: whatever happens to its name meanwhile, all passes read the same file. */
export class Archive implements AsyncDisposable {
  readonly path: string
  readonly kind: 'xz' | 'db'
  readonly bytes: number
  readonly #handle: FileHandle
  readonly #stats: Stats
  #passes = 0
  #sha256: string | undefined

  private constructor(path: string, kind: Archive['kind'], handle: FileHandle, stats: Stats) {
    this.path = path
    this.kind = kind
    this.bytes = stats.size
    this.#handle = handle
    this.#stats = stats
  }

  /** Tells an .xz from a database by how it begins. Throws an `archive` fault for anything else. */
  static async open(path: string): Promise<Archive> {
    const fail = (problem: string, cause?: unknown) => new Failure({ kind: 'archive', path, problem }, cause)
    // Not blocking, since opening a named pipe waits for who writes to it.
    const handle = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(cause => {
      throw fail(openProblem(cause), cause)
    })
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw fail(stats.isDirectory() ? 'is a folder, not a file' : 'is not a file')
      if (stats.size === 0) throw fail('is empty')
      const start = Buffer.alloc(64)
      await handle.read(start, 0, start.length, 0).catch(cause => {
        throw fail(readProblem(cause), cause)
      })
      const kind = start.subarray(0, XZ.length).equals(XZ) ? 'xz' : isMeta(start) ? 'db' : undefined
      if (kind === undefined) throw fail(foreign(start))
      return new Archive(path, kind, handle, stats)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** SHA-256 and size of the file; known after the first pass over an .xz. */
  get checksum(): Checksum | undefined {
    return this.#sha256 === undefined ? undefined : { bytes: this.bytes, sha256: this.#sha256 }
  }

  /**
   * The snapshot from its beginning to its end, decoded. Each piece holds only until the next one is asked for. Throws
   * an `archive` fault where it cannot be read or decoded, with where that is.
   */
  async *pass(watch: Watch): AsyncGenerator<Buffer> {
    collectOften()
    this.#passes += 1
    if (this.kind === 'db') {
      yield* this.#raw(watch)
      return
    }
    try {
      yield* decompress(this.#hashed(this.#raw(watch)))
    } catch (error) {
      if (!(error instanceof XzDamage)) throw error
      const where =
        error.at >= this.bytes ? `at its end (byte ${this.bytes})` : `near byte ${error.at} of ${this.bytes}`
      throw this.#fail(`${error.message} ${where}, after ${error.after} bytes of the database`, error)
    }
  }

  async *#raw({ signal, tell }: Watch): AsyncGenerator<Buffer> {
    const pass = this.#passes
    const into = Buffer.allocUnsafeSlow(READ[this.kind])
    for (let at = 0; at < this.bytes; ) {
      signal.throwIfAborted()
      const { bytesRead } = await this.#handle
        .read(into, 0, Math.min(into.length, this.bytes - at), at)
        .catch(cause => {
          throw this.#fail(`${readProblem(cause)} at byte ${at}`, cause)
        })
      if (bytesRead === 0) throw this.#fail('became shorter while it was read')
      at += bytesRead
      tell?.(pass, at, this.bytes)
      yield into.subarray(0, bytesRead)
    }
    const { size, mtimeMs } = await this.#handle.stat()
    if (size !== this.bytes || mtimeMs !== this.#stats.mtimeMs)
      throw this.#fail('was written to while it was read')
  }

  async *#hashed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    if (this.#sha256 !== undefined) {
      yield* source
      return
    }
    const hash = createHash('sha256')
    for await (const chunk of source) {
      hash.update(chunk)
      yield chunk
    }
    this.#sha256 = hash.digest('hex')
  }

  #fail(problem: string, cause?: unknown): Failure {
    return new Failure({ kind: 'archive', path: this.path, problem }, cause)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** xz's file format, 2.1.1.1. */
const XZ = Buffer.from('fd377a585a00', 'hex')

/** What else people compress snapshots with, by how it begins, and how it is made a snapshot again. */
const foreigners: readonly (readonly [magic: string, name: string, unpack: string])[] = [
  ['1f8b', 'gzip', 'gunzip'],
  ['28b52ffd', 'zstd', 'zstd -d'],
  ['504b0304', 'zip', 'unzip'],
  ['425a68', 'bzip2', 'bunzip2'],
  ['04224d18', 'lz4', 'lz4 -d'],
  ['377abcaf271c', '7-Zip', '7z x'],
]

function foreign(start: Buffer): string {
  const found = foreigners.find(([magic]) => start.subarray(0, magic.length / 2).toString('hex') === magic)
  if (found !== undefined)
    return `is ${found[1]}, expected .xz or a database of etcd; unpack it with ${found[2]}`
  if (start.every(byte => byte === 0)) return 'begins with zeros, expected .xz or a database of etcd'
  return `is neither .xz nor a database of etcd, or damaged in its first bytes (${start.subarray(0, 20).toString('hex')})`
}

function openProblem({ code, message }: NodeJS.ErrnoException): string {
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'no permission to read it; run as root',
    EPERM: 'no permission to read it; run as root',
    ENXIO: 'is not a file',
    ELOOP: 'its symbolic links lead in a circle',
  }
  return known[code ?? ''] ?? `cannot be opened (${message})`
}

const readProblem = ({ code, message }: NodeJS.ErrnoException): string =>
  code === 'EIO' ? 'the disk answers with errors; look at the kernel log' : `cannot be read (${message})`
