import type { Fail } from './damage.js'
import { u64 } from './page.js'

/** A bucket as the walk finds it. */
export type Bucket = {
  readonly name: Buffer
  /** The names from the top, with slashes between them. */
  readonly path: string
  /** 1 at the top. */
  readonly depth: number
  /** Page of its root; 0 of one that stands within its parent's page. */
  readonly root: number
  entries: number
  /** The largest prefix of a last key: in the bucket `key` the last revision. */
  last: number
}

/** Far beyond etcd's dozen, and what keeps a hostile file from making millions. */
const MOST = 0xfff0
const MOST_NAMES = 4 * 1024 * 1024
const DEEPEST = 64
/** A bucket's root and its sequence stand before what it may hold inline (bbolt: internal/common/bucket.go). */
export const BUCKET_HEADER = 16

/** All buckets that were found, in the order in which they were; the first is the root that holds the others. */
export class Buckets {
  readonly all: Bucket[] = [bucket(Buffer.alloc(0), '', 0, 0)]
  #nameBytes = 0

  /** Takes up what the entry of a bucket says, and gives its number. Throws `Damage`. */
  add(parent: Bucket, name: Buffer, value: Buffer, fail: Fail): number {
    if (value.length < BUCKET_HEADER)
      throw fail(`a bucket has ${value.length} bytes of ${BUCKET_HEADER} that it takes`)
    const path = parent.depth === 0 ? name.toString() : `${parent.path}/${name}`
    this.#nameBytes += name.length + path.length
    if (this.all.length >= MOST || this.#nameBytes > MOST_NAMES || parent.depth >= DEEPEST)
      throw fail('there are more buckets than etcd ever makes')
    this.all.push(bucket(Buffer.from(name), path, parent.depth + 1, u64(value, 0)))
    return this.all.length - 1
  }

  /** Those at the top, in the order of their names. */
  get top(): readonly Bucket[] {
    return this.all.filter(({ depth }) => depth === 1).sort((a, b) => a.name.compare(b.name))
  }
}

const bucket = (name: Buffer, path: string, depth: number, root: number): Bucket => ({
  ...{ name, path, depth, root },
  ...{ entries: 0, last: 0 },
})
