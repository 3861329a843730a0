import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isRoot, LoopDevice } from '../lab/loopDevice.js'

const run = promisify(execFile)
const BLKIO = '/sys/fs/cgroup/blkio'
const MEMORY = '/dev/shm'

/** What a disk writes, bytes a second: a good one of a cloud, and a poor one. */
export const SPEED = { normal: 400e6, slow: 45e6 } as const

/** Why no such disk can be had here; undefined where it can. */
export function noMemoryDisk(): string | undefined {
  if (!isRoot) return 'disks of their own for the members take root'
  if (!existsSync(BLKIO))
    return `limits of their own for the members' disks take cgroup v1's blkio controller at ${BLKIO}`
  return undefined
}

/** The database, the copy that a defragmentation makes, and etcd's log with what the load adds to it; bytes. */
export const diskFor = (databaseBytes: number): number => databaseBytes * 2.2 + 500 * 2 ** 20

/** How much memory the disks of so many members take at most, and how much there is for them; bytes. */
export async function memoryFor(
  members: number,
  databaseBytes: number,
): Promise<Readonly<{ needed: number; available: number }>> {
  const { bavail, bsize } = await statfs(MEMORY)
  const kib = /^MemAvailable:\s*(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]
  const available = Math.min(bavail * bsize, Number(kib ?? 0) * 1024 * 0.75) // etcd maps its database, and others live here
  // Of a database some 0.6 is in use, which is what the copy holds.
  return { needed: members * (databaseBytes * 1.7 + 300 * 2 ** 20), available }
}

/**
 * An ext4 on a loop device in memory, so that no member waits for another's writes, and a cgroup whose processes write
 * to it no faster than a limit, fsync included (kernel: Documentation/admin-guide/cgroup-v1/blkio-controller.rst).
 */
export class MemoryDisk implements AsyncDisposable {
  readonly #folder: string
  readonly #device: LoopDevice
  readonly #group: string

  private constructor(folder: string, device: LoopDevice, group: string) {
    this.#folder = folder
    this.#device = device
    this.#group = group
  }

  /** `megabytes` is its size, `bytesPerSecond` what is written to it at most. */
  static async create(megabytes: number, bytesPerSecond: number): Promise<MemoryDisk> {
    const folder = await mkdtemp(join(MEMORY, 'etcd-defrag-bench-'))
    try {
      const device = await LoopDevice.create(megabytes, join(folder, 'disk'))
      const group = join(BLKIO, folder.slice(MEMORY.length))
      const disk = new MemoryDisk(folder, device, group)
      try {
        await mkdir(group)
        const { stdout } = await run('mountpoint', ['--fs-devno', device.mountPoint])
        await writeFile(join(group, 'blkio.throttle.write_bps_device'), `${stdout.trim()} ${bytesPerSecond}`)
        return disk
      } catch (error) {
        await disk[Symbol.asyncDispose]()
        throw error
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  get mountPoint(): string {
    return this.#device.mountPoint
  }

  /** The program and arguments that start another one under the limit. */
  get through(): readonly string[] {
    return ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#group]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]()
    await rmdir(this.#group).catch(() => {}) // it was not made, or a process that was killed is still leaving
    await rm(this.#folder, { recursive: true, force: true })
  }
}
