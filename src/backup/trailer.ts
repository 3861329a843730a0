import { createHash } from 'node:crypto'
import { Failure } from '../model/fault.js'

/** etcd appends the SHA-256 of the database (etcd: server/etcdserver/api/v3rpc/maintenance.go, `Snapshot`). */
export const TRAILER = 32
/** bbolt files are whole pages and pages are multiples of 512 bytes (etcd: etcdutl/snapshot/v3_snapshot.go). */
const SECTOR = 512

/** Follows a snapshot as it passes and knows at the end whether it is whole. */
export class TrailerCheck {
  readonly #hash = createHash('sha256')
  #tail: Buffer = Buffer.alloc(0)
  bytes = 0

  update(chunk: Buffer): void {
    this.bytes += chunk.length
    const pending = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk])
    const cut = Math.max(0, pending.length - TRAILER)
    this.#hash.update(pending.subarray(0, cut))
    this.#tail = Buffer.from(pending.subarray(cut))
  }

  /** The SHA-256 (hex) that trailer and content agree on. Throws a `backup` fault that names `path`. */
  finish(path: string): string {
    const fail = (problem: string) => new Failure({ kind: 'backup', path, problem })
    if (this.bytes < SECTOR || this.bytes % SECTOR !== TRAILER)
      throw fail(`the snapshot is ${this.bytes} bytes long, not whole pages and a SHA-256: it was cut off`)
    const sha256 = this.#hash.digest('hex')
    if (sha256 !== this.#tail.toString('hex'))
      throw fail(
        `the snapshot's SHA-256 is ${sha256}, its trailer says ${this.#tail.toString('hex')}: it is damaged`,
      )
    return sha256
  }
}
