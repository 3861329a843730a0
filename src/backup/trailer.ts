import { createHash } from 'node:crypto'
import type { Checksum } from '../model/backup.js'

/** etcd appends the SHA-256 of the database (etcd: server/etcdserver/api/v3rpc/maintenance.go, `Snapshot`). */
export const TRAILER = 32
/** bbolt files are whole pages and pages are multiples of 512 bytes (etcd: etcdutl/snapshot/v3_snapshot.go). */
const SECTOR = 512

/** What passed: the database, and the SHA-256 (hex) behind it where there is one. */
export type Passed = Readonly<{ content: Checksum; trailer: string | undefined; whole: Checksum }>

/** Follows a snapshot as it passes and knows at the end whether it is whole. */
export class TrailerCheck {
  readonly #hash = createHash('sha256')
  #tail: Buffer = Buffer.alloc(0)
  bytes = 0

  update(chunk: Buffer): void {
    this.bytes += chunk.length
    if (chunk.length < TRAILER) {
      this.#keep(Buffer.concat([this.#tail, chunk]))
      return
    }
    this.#hash.update(this.#tail)
    this.#keep(chunk)
  }

  #keep(pending: Buffer): void {
    const cut = Math.max(0, pending.length - TRAILER)
    this.#hash.update(pending.subarray(0, cut))
    this.#tail = Buffer.from(pending.subarray(cut))
  }

  /** What passed until now. */
  passed(): Passed {
    const whole = { bytes: this.bytes, sha256: this.#hash.copy().update(this.#tail).digest('hex') }
    if (this.bytes < SECTOR || this.bytes % SECTOR !== TRAILER)
      return { content: whole, trailer: undefined, whole }
    const content = { bytes: this.bytes - TRAILER, sha256: this.#hash.copy().digest('hex') }
    return { content, trailer: this.#tail.toString('hex'), whole }
  }
}
