import type { Checksum, Contents } from '../model/backup.js'
import type { Damage } from './bolt/damage.js'
import { Walk } from './bolt/walk.js'
import { TrailerCheck } from './trailer.js'
import { damageIn, problemOf, strangeness } from './verify.js'

/** Follows a snapshot as it passes by, as often as it takes: its SHA-256 each time, and the database inside. */
export class Inspection {
  #compacted = 0
  readonly #walk = new Walk({
    readsTwice: true, // as it comes, and from the archive
    use: ({ path }, key, value) => {
      if (path === 'meta' && compactions.has(key.toString()) && value.length >= 8)
        this.#compacted = Math.max(this.#compacted, Number(value.readBigUInt64BE(0)))
    },
  })
  #check = new TrailerCheck()
  #damage: Damage | undefined
  /** Whether the database is still to be walked, as it passes by once more. */
  isUnfinished = true

  update(chunk: Buffer): void {
    this.#check.update(chunk)
    this.#damage ??= damageIn(() => this.#walk.update(chunk)) // told when the SHA-256 is known
  }

  /** The end of a pass over all of the snapshot: the database, and what is wrong with it if anything is. */
  endPass(): Readonly<{ content: Checksum; problem: string | undefined }> {
    const passed = this.#check.passed()
    this.#check = new TrailerCheck()
    this.#damage ??= damageIn(() => {
      this.isUnfinished = this.#walk.endPass()
    })
    const { content, trailer } = passed
    const cutOff = `the snapshot is ${content.bytes} bytes long, not whole pages and a SHA-256: it was cut off`
    const strange = this.#damage === undefined && !this.isUnfinished ? strangeness(this.#walk) : undefined
    const problem = trailer === undefined ? cutOff : problemOf(this.#damage, passed)
    return { content, problem: problem ?? strange }
  }

  /** Once it is finished. */
  contents(): Contents {
    return this.#walk.contents()
  }

  /**
   * Where etcd would begin again: at the last change, or where history was compacted, since a compaction removes a last
   * change that is a deletion (etcd: server/storage/mvcc/kvstore.go, `restore`).
   */
  get revision(): number {
    return Math.max(FIRST, this.contents().revision, this.#compacted)
  }
}

/** Of an etcd that nobody has written to yet (etcd: server/storage/mvcc/kvstore.go, `NewStore`). */
const FIRST = 1
/** Keys of the bucket `meta` (etcd: server/storage/schema/bucket.go). */
const compactions = new Set(['finishedCompactRev', 'scheduledCompactRev'])
