import type { Checksum, Contents } from '../model/backup.js'
import { Walk } from './bolt/walk.js'
import { TRAILER, TrailerCheck } from './trailer.js'

/** Follows a snapshot as it passes by, as often as it takes: its SHA-256 each time, and the database inside. */
export class Inspection {
  readonly #walk = new Walk()
  #check = new TrailerCheck()
  #damage: unknown
  isUnfinished = true

  update(chunk: Buffer): void {
    this.#check.update(chunk)
    if (this.#damage !== undefined) return
    try {
      this.#walk.update(chunk)
    } catch (error) {
      this.#damage = error // the SHA-256 of the whole has the first word
    }
  }

  /** Ends a pass over all of the snapshot. Throws what is wrong with it. */
  endPass(path: string): Checksum {
    const { bytes } = this.#check
    const sha256 = this.#check.finish(path)
    this.#check = new TrailerCheck()
    if (this.#damage !== undefined) throw this.#damage
    this.isUnfinished = this.#walk.endPass()
    return { bytes: bytes - TRAILER, sha256 }
  }

  contents(): Contents {
    return this.#walk.contents()
  }
}
