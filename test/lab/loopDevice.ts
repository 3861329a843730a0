import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './cluster.js'

const run = promisify(execFile)

/** Something that is wrong with a disk until it is ended; ending it twice is no harm. */
export type Trouble = AsyncDisposable & Readonly<{ end(): Promise<void> }>

export function troubleUntil(mend: () => Promise<unknown>): Trouble {
  let ended: Promise<unknown> | undefined
  const end = async () => {
    ended ??= mend()
    await ended
  }
  return { end, [Symbol.asyncDispose]: end }
}

/** An ext4 file system on a loop device of our own, whose backing file shows what a trim gives back. Root only. */
export class LoopDevice implements AsyncDisposable {
  readonly folder: string
  readonly mountPoint: string
  readonly #file: string
  #device = ''
  #isMounted = false

  private constructor(folder: string, backing?: string) {
    this.folder = folder
    this.mountPoint = join(folder, 'mounted')
    this.#file = backing ?? join(folder, 'disk')
  }

  /** `backing`: what the loop device is made of instead of an ordinary file of its own. */
  static async create(megabytes: number, backing?: string): Promise<LoopDevice> {
    const loop = new LoopDevice(await mkdtemp(join(tmpdir(), 'etcd-loop-')), backing)
    try {
      await mkdir(loop.mountPoint)
      if (!existsSync(loop.#file)) {
        await writeFile(loop.#file, '')
        await truncate(loop.#file, megabytes * 1024 * 1024)
      }
      await run('mkfs.ext4', ['-q', '-E', 'nodiscard', loop.#file])
      // Direct, so that no cache between the two file systems takes what the one below refuses.
      const direct = backing === undefined ? [] : ['--direct-io=on']
      loop.#device = (await run('losetup', ['-f', '--show', ...direct, loop.#file])).stdout.trim()
      await loop.#mount()
      await chmod(loop.mountPoint, 0o700)
      return loop
    } catch (error) {
      await loop[Symbol.asyncDispose]()
      throw error
    }
  }

  /** What the disk would hold had the power gone now, mounted: all that has reached it, and nothing of what had not. */
  async afterPowerCut(): Promise<LoopDevice> {
    const copy = new LoopDevice(await mkdtemp(join(tmpdir(), 'etcd-loop-')))
    try {
      await mkdir(copy.mountPoint)
      await copyFile(this.#file, copy.#file)
      copy.#device = (await run('losetup', ['-f', '--show', copy.#file])).stdout.trim()
      await copy.#mount() // ext4 replays its journal
      return copy
    } catch (error) {
      await copy[Symbol.asyncDispose]()
      throw error
    }
  }

  async #mount(): Promise<void> {
    await run('mount', [this.#device, this.mountPoint])
    this.#isMounted = true
  }

  async #unmount(): Promise<void> {
    if (this.#isMounted) await run('umount', [this.mountPoint])
    this.#isMounted = false
  }

  /** Bytes the backing file truly occupies, after everything written has reached it. */
  async allocated(): Promise<number> {
    await this.sync()
    await run('sync', [this.#file])
    return (await stat(this.#file)).blocks * 512
  }

  /** From now on every write to the file system waits; whoever writes cannot even be killed until it is thawed. */
  async freeze(): Promise<Trouble> {
    await run('fsfreeze', ['-f', this.mountPoint])
    return troubleUntil(() => run('fsfreeze', ['-u', this.mountPoint]))
  }

  /** Takes all room but about so many bytes, that which is kept for root included. */
  async fill(left = 0): Promise<Trouble> {
    const path = join(this.mountPoint, 'filler')
    const block = 4096
    let size = 0
    await (await open(path, 'a')).close()
    for (let length = 1 << 30; length >= block; ) {
      const done = await run('fallocate', ['-o', String(size), '-l', String(length), path]).then(
        () => true,
        () => false, // no room for so much
      )
      if (done) size += length
      else length /= 2
    }
    await truncate(path, Math.max(0, size - left))
    await this.sync() // what was given back can be used again from here on
    return troubleUntil(() => rm(path, { force: true }))
  }

  /** `ro`, or `sync`: every write waits for the disk and hears of its errors. */
  async mountedAs(option: 'ro' | 'sync'): Promise<Trouble> {
    await run('mount', ['-o', `remount,${option}`, this.mountPoint])
    const back = option === 'ro' ? 'rw' : 'async'
    return troubleUntil(() => run('mount', ['-o', `remount,${back}`, this.mountPoint]))
  }

  /** Everything written so far is on the disk. */
  async sync(): Promise<void> {
    await run('sync', ['-f', this.mountPoint])
  }

  /** Mounts it afresh, as after a reboot: ext4 stays read-only once its own writes have failed. */
  async remount(): Promise<void> {
    await this.#unmount()
    await this.#mount()
  }

  /** A test that failed may leave a run behind that still ends by itself; nobody waits longer than for that. */
  async #unmountAtLast(): Promise<void> {
    await until('nothing uses the disk', () =>
      this.#unmount().then(
        () => true,
        () => false,
      ),
    ).catch(() => run('umount', ['--lazy', this.mountPoint]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unmountAtLast()
    if (this.#device !== '') await run('losetup', ['-d', this.#device])
    await rm(this.folder, { recursive: true })
  }
}

export const isRoot = process.getuid?.() === 0
