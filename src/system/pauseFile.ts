import { readFile, rm } from 'node:fs/promises'
import type { Pause } from '../model/coordination.js'
import { Failure } from '../model/fault.js'
import { pauseOf, written } from './etcd/memory.js'
import { replaceFile } from './replaceFile.js'

/** The pause of this node, in a file that outlives a reboot. Each method throws a `config` fault that names it. */
export class PauseFile {
  readonly path: string

  constructor(stateDir: string) {
    this.path = `${stateDir}/pause.json`
  }

  /** Undefined where there is none. One that cannot be understood throws: whoever wrote it meant to pause. */
  async read(): Promise<Pause | undefined> {
    const text = await readFile(this.path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined
      throw this.#failure(`cannot be read (${cause.code})`, cause)
    })
    if (text === undefined) return undefined
    try {
      return pauseOf(text)
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : cause
      throw this.#failure(`holds no pause (${words}); end it with etcd-defrag resume --scope node`, cause)
    }
  }

  async write(pause: Pause): Promise<void> {
    try {
      await replaceFile(this.path, `${written.pause(pause)}\n`)
    } catch (cause) {
      throw this.#failure(`cannot be written (${(cause as NodeJS.ErrnoException).code ?? cause})`, cause)
    }
  }

  /** Whether there was one. */
  async remove(): Promise<boolean> {
    try {
      await rm(this.path)
      return true
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT') return false
      throw this.#failure(`cannot be removed (${code})`, cause)
    }
  }

  #failure(problem: string, cause: unknown): Failure {
    return new Failure({ kind: 'config', option: this.path, problem }, cause)
  }
}
