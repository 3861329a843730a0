import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './cluster.js'
import { LoopDevice, type Trouble, troubleUntil } from './loopDevice.js'

const run = promisify(execFile)
const FULL_SPEED = '1T' // bits per second

/**
 * A file system on a disk that can be made slow and made to answer with errors: nbdkit's filters, shown as a file by
 * nbdfuse, under a loop device. Root only.
 */
export class FaultyDisk implements AsyncDisposable {
  readonly #folder: string
  readonly #server: ChildProcess
  #device: LoopDevice | undefined

  private constructor(folder: string) {
    this.#folder = folder
    const log = openSync(join(folder, 'log'), 'a')
    // Nobody kills it with us: whoever wrote to the disk would wait for it for ever.
    this.#server = spawn(
      'nbdfuse',
      [
        ...[this.#shown, '[', 'nbdkit', '--exit-with-parent', '--filter=error', '--filter=rate'],
        ...['file', join(folder, 'blocks'), 'error=EIO', 'error-rate=100%'],
        ...[`error-pread-file=${this.#errors}.reads`, `error-pwrite-file=${this.#errors}.writes`],
        ...['trim', 'zero', 'extents', 'cache'].map(call => `error-${call}-rate=0`),
        ...[`rate=${FULL_SPEED}`, `rate-file=${this.#rate}`, ']'],
      ],
      { stdio: ['ignore', log, log], detached: true },
    )
    closeSync(log)
  }

  static async create(megabytes: number): Promise<FaultyDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-faulty-'))
    await mkdir(join(folder, 'fuse'))
    await writeFile(join(folder, 'blocks'), '')
    await truncate(join(folder, 'blocks'), megabytes * 1024 * 1024)
    const disk = new FaultyDisk(folder)
    try {
      await disk.#serving()
      disk.#device = await LoopDevice.create(megabytes, disk.#shown)
      return disk
    } catch (error) {
      await disk[Symbol.asyncDispose]()
      throw error
    }
  }

  get #shown(): string {
    return join(this.#folder, 'fuse/disk')
  }
  get #errors(): string {
    return join(this.#folder, 'errors')
  }
  get #rate(): string {
    return join(this.#folder, 'rate')
  }

  /** The file system on it, with the troubles that any has. */
  get device(): LoopDevice {
    if (this.#device === undefined) throw new Error('the disk is not mounted')
    return this.#device
  }

  async #serving(): Promise<void> {
    await until('nbdfuse shows the disk', async () => {
      if (this.#server.exitCode !== null)
        throw new Error(`nbdfuse ended:\n${await readFile(join(this.#folder, 'log'), 'utf8')}`)
      return stat(this.#shown).then(
        () => true,
        () => false,
      )
    })
  }

  /** Everything read and written, fsync included, goes at that speed. */
  async slow(bytesPerSecond: number): Promise<Trouble> {
    await this.#setRate(String(bytesPerSecond * 8))
    return troubleUntil(() => this.#setRate(FULL_SPEED))
  }

  /** nbdkit reads it at every request, so it must never be seen half written. */
  async #setRate(rate: string): Promise<void> {
    await writeFile(`${this.#rate}.new`, rate)
    await rename(`${this.#rate}.new`, this.#rate)
  }

  /** All of them fail with EIO; what the kernel has in its cache can still be read. */
  async fail(...what: readonly ('reads' | 'writes')[]): Promise<Trouble> {
    for (const kind of what) await writeFile(`${this.#errors}.${kind}`, '')
    return troubleUntil(() => this.#heal())
  }

  async #heal(): Promise<void> {
    for (const kind of ['reads', 'writes']) await rm(`${this.#errors}.${kind}`, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heal()
    await this.#setRate(FULL_SPEED)
    await this.#device?.[Symbol.asyncDispose]()
    const { exitCode, signalCode } = this.#server
    if (exitCode === null && signalCode === null) {
      const gone = once(this.#server, 'exit')
      await run('umount', [join(this.#folder, 'fuse')]).catch(() => this.#server.kill()) // it had not come as far
      await gone
    }
    await rm(this.#folder, { recursive: true })
  }
}
