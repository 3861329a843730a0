import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** An ext4 file system on a loop device of our own, whose backing file shows what a trim gives back. Root only. */
export class LoopDevice implements AsyncDisposable {
  readonly folder: string
  readonly mountPoint: string
  readonly #file: string
  #device = ''
  #isMounted = false

  private constructor(folder: string, file: string) {
    this.folder = folder
    this.mountPoint = join(folder, 'mounted')
    this.#file = file
  }

  static async create(megabytes: number): Promise<LoopDevice> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-loop-'))
    const file = join(folder, 'disk')
    const loop = new LoopDevice(folder, file)
    try {
      await mkdir(loop.mountPoint)
      await writeFile(file, '')
      await truncate(file, megabytes * 1024 * 1024)
      await run('mkfs.ext4', ['-q', '-E', 'nodiscard', file])
      loop.#device = (await run('losetup', ['-f', '--show', file])).stdout.trim()
      await run('mount', [loop.#device, loop.mountPoint])
      loop.#isMounted = true
      return loop
    } catch (error) {
      await loop[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Bytes the backing file truly occupies, after everything written has reached it. */
  async allocated(): Promise<number> {
    await run('sync', ['-f', this.mountPoint])
    await run('sync', [this.#file])
    return (await stat(this.#file)).blocks * 512
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isMounted) await run('umount', [this.mountPoint])
    if (this.#device !== '') await run('losetup', ['-d', this.#device])
    await rm(this.folder, { recursive: true })
  }
}

export const isRoot = process.getuid?.() === 0
