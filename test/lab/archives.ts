import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Cluster, programOf, type Suite } from './cluster.js'

const run = promisify(execFile)

/** What is in an archive: the SHA-256 that etcd appended to the snapshot, in hex, and its revision. */
export type Archive = Readonly<{ sha256: string; revision: number; bytes: number }>

/** Looks into an archive with xz and etcd's own tool; throws in their words where it is not whole. */
export async function inspect(file: string, suite: Suite): Promise<Archive> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-archive-'))
  try {
    await run('xz', ['-t', file])
    const snapshot = join(folder, 'snapshot.db')
    const xz = spawn('xz', ['-dc', file], { stdio: ['ignore', 'pipe', 'inherit'] })
    await pipeline(xz.stdout, createWriteStream(snapshot))
    // Debian's 3.4 has no etcdutl.
    const program = programOf(suite, suite === 'bookworm' ? 'etcdctl' : 'etcdutl')
    const env = { ...process.env, ETCDCTL_API: '3' }
    const { stdout } = await run(program, ['snapshot', 'status', snapshot, '-w', 'json'], { env })
    const { revision } = JSON.parse(stdout) as { revision: number }
    const sha256 = (await readFile(snapshot)).subarray(-32).toString('hex')
    return { sha256, revision, bytes: (await stat(file)).size }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A good archive of the cluster as it is now, made without the project's code. */
export async function archive(cluster: Cluster, file: string): Promise<void> {
  const [first] = cluster.members
  if (first === undefined) throw new Error('no member to back up')
  const snapshot = join(cluster.folder, 'lab-snapshot.db')
  await cluster.etcdctl(['snapshot', 'save', snapshot], [first])
  const xz = spawn('xz', ['-0c', snapshot], { stdio: ['ignore', 'pipe', 'inherit'] })
  await pipeline(xz.stdout, createWriteStream(file))
  await rm(snapshot)
}

/** One content that a file had: a copy of it, and when it was first seen there. */
export type Version = Readonly<{ copy: string; seenAt: number }>

/** Keeps a copy of every content that a file has had, and notes when there was none. */
export class FileWatch implements AsyncDisposable {
  readonly versions: Version[] = []
  /** When there was no file although there had been one. */
  readonly missing: number[] = []
  readonly #file: string
  readonly #folder: string
  readonly #over = new AbortController()
  #last = ''
  #looking: Promise<void> = Promise.resolve()
  #watching: Promise<void> = Promise.resolve()

  private constructor(file: string, folder: string) {
    this.#file = file
    this.#folder = folder
  }

  static async of(file: string): Promise<FileWatch> {
    const watch = new FileWatch(file, await mkdtemp(join(tmpdir(), 'etcd-watch-')))
    await watch.look()
    watch.#watching = watch.#watch()
    return watch
  }

  async #watch(): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      await sleep(20, undefined, { signal }).catch(() => {}) // it is over
      await this.look()
    }
  }

  /** Resolves once what is there now has been seen. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look())
    return this.#looking
  }

  /** A file that is written in place changes its time while it is copied, and so is seen as one more version. */
  async #look(): Promise<void> {
    const found = await stat(this.#file, { bigint: true }).catch(() => undefined)
    const identity = found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeNs}`
    if (identity === this.#last) return
    this.#last = identity
    if (found === undefined) {
      this.missing.push(Date.now())
      return
    }
    const copy = join(this.#folder, String(this.versions.length))
    this.versions.push({ copy, seenAt: Date.now() })
    await copyFile(this.#file, copy)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    await this.#watching
    await rm(this.#folder, { recursive: true, force: true })
  }
}
