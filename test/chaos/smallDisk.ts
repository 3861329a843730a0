import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A folder on a file system in memory with so much room beside what is in it; disposing of it keeps the content. */
export class SmallDisk implements AsyncDisposable {
  readonly #folder: string
  readonly #kept: string

  private constructor(folder: string) {
    this.#folder = folder
    this.#kept = `${folder}.kept`
  }

  static async create(folder: string, room: number): Promise<SmallDisk> {
    const disk = new SmallDisk(folder)
    await disk.#keep()
    const used = Number((await run('du', ['-sk', disk.#kept])).stdout.split('\t')[0])
    const size = `size=${used + Math.ceil(room / 1024)}k`
    await run('mount', ['-t', 'tmpfs', '-o', size, 'etcd-chaos', folder])
    await disk.#giveBack()
    return disk
  }

  async #keep(): Promise<void> {
    await run('cp', ['-a', this.#folder, this.#kept])
  }

  async #giveBack(): Promise<void> {
    await run('cp', ['-a', `${this.#kept}/.`, this.#folder])
    await run('rm', ['-r', this.#kept])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keep()
    for (let tries = 1; ; tries++) {
      const error = await run('umount', [this.#folder]).then(
        () => undefined,
        reason => reason,
      )
      if (error === undefined) break
      if (tries === 20) throw error
      await sleep(100) // a run that was killed is still being taken down
    }
    await this.#giveBack()
  }
}
