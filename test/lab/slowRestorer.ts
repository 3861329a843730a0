import { randomInt } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { programOf } from './cluster.js'

/** A program that is etcdutl but for how long it takes to restore: longer than any test. */
export class SlowRestorer {
  readonly file: string
  readonly #seconds: string

  private constructor(file: string, seconds: string) {
    this.file = file
    this.#seconds = seconds
  }

  static async create(file: string): Promise<SlowRestorer> {
    const seconds = String(randomInt(10_000, 1_000_000)) // by which it is known
    const script = `#!/bin/sh
case "$*" in
  *--help*|version) exec ${programOf('trixie', 'etcdutl')} "$@" ;;
  *restore*) exec sleep ${seconds} ;;
esac
`
    await writeFile(file, script, { mode: 0o755 })
    return new SlowRestorer(file, seconds)
  }

  async runs(): Promise<boolean> {
    const ids = (await readdir('/proc')).filter(id => /^\d+$/.test(id))
    const lines = await Promise.all(
      ids.map(id => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')), // it has ended
    )
    return lines.includes(`sleep\0${this.#seconds}\0`)
  }
}

/** A program and its arguments: what is started with them sees no process of this machine but its own. */
export const alone = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '--'] as const
