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
  readonly #device: string
  readonly #file: string

  private constructor(folder: string, file: string, device: string) {
    this.folder = folder
    this.mountPoint = join(folder, 'mounted')
    this.#file = file
    this.#device = device
  }

  static async create(megabytes: number): Promise<LoopDevice> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-loop-'))
    const file = join(folder, 'disk')
    await writeFile(file, '')
    await truncate(file, megabytes * 1024 * 1024)
    await run('mkfs.ext4', ['-q', '-E', 'nodiscard', file])
    const { stdout } = await run('losetup', ['-f', '--show', file])
    const loop = new LoopDevice(folder, file, stdout.trim())
    await mkdir(loop.mountPoint)
    await run('mount', [loop.#device, loop.mountPoint])
    return loop
  }

  /** Bytes the backing file truly occupies, after everything written has reached it. */
  async allocated(): Promise<number> {
    await run('sync', ['-f', this.mountPoint])
    await run('sync', [this.#file])
    return (await stat(this.#file)).blocks * 512
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.mountPoint])
    await run('losetup', ['-d', this.#device])
    await rm(this.folder, { recursive: true })
  }
}

export const isRoot = process.getuid?.() === 0
