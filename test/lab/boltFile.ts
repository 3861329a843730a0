import { createCipheriv } from 'node:crypto'
import { fnv1a } from '../../src/backup/bolt/meta.js'
import { mulberry32 } from './random.js'

/** What a bucket holds: values, and other buckets. */
export type BucketSpec = Readonly<{
  entries: readonly (readonly [key: Buffer | string, value: Buffer | string | BucketSpec])[]
  /** Held within the page of its parent. */
  inline?: boolean
  /** Entries and children of a page at most; as many as find room without. */
  perPage?: number
}>

export type DatabaseSpec = Readonly<{
  buckets: Readonly<Record<string, BucketSpec>>
  pageSize?: number
  /** Free pages with what they held when they were in use, spread over the file. */
  freePages?: number
  /** They are listed in the file, as with bbolt's default; etcd wants that list made anew at each start. */
  freelist?: boolean
  /** It is the file of a member, not a copy as snapshots are, in which both meta pages say the same. */
  isMember?: boolean
  /** Pages stand in this random order, not children before parents. */
  shuffle?: number
  /** Pages of noise behind all, free as well; for a file of a certain size. */
  padding?: number
  /** The noise repeats, so that it can be compressed. */
  repeats?: boolean
}>

type Element = Readonly<{ flags: number; key: Buffer; value: Buffer | Node | Ref }>
type Node = { kind: 'leaf' | 'branch'; elements: readonly Element[]; id: number; pages: number }
/** The value of a bucket, whose root's number is known later. */
type Ref = Readonly<{ root: Node }>

const HEADER = 16
const ELEMENT = 16

/** A database as bbolt would write it, for tests; whole pages. */
export const databaseOf = (spec: DatabaseSpec): Buffer => new Builder(spec).build()

class Builder {
  readonly #spec: DatabaseSpec
  readonly #pageSize: number
  readonly #nodes: Node[] = []

  constructor(spec: DatabaseSpec) {
    this.#spec = spec
    this.#pageSize = spec.pageSize ?? 4096
  }

  build(): Buffer {
    const { buckets, freePages = 0, freelist = false, isMember = false, shuffle, padding = 0 } = this.#spec
    const root = this.#treeOf({ entries: Object.entries(buckets) })
    const slots: (Node | undefined)[] = [...this.#nodes]
    for (let n = 0; n < freePages; n++)
      slots.splice(Math.floor(((n + 1) * slots.length) / (freePages + 1)), 0, undefined)
    if (shuffle !== undefined) shuffled(slots, mulberry32(shuffle))
    const free: number[] = []
    let next = 2
    for (const node of slots) {
      if (node === undefined) free.push(next)
      else node.id = next
      next += node?.pages ?? 1
    }
    for (let n = 0; n < padding; n++) free.push(next++)
    const list = freelist ? next : undefined
    const listed = freelist ? this.#listPage(next, free) : Buffer.alloc(0)
    next += listed.length / this.#pageSize
    const file = Buffer.alloc(next * this.#pageSize)
    const put = (page: Buffer, id: number) => void page.copy(file, id * this.#pageSize)
    for (const node of this.#nodes) put(this.#pageOf(node), node.id)
    this.#fillFree(free, padding, put)
    if (list !== undefined) put(listed, list)
    const meta = { root: root.id, list, highWater: next }
    const older = isMember ? { ...meta, root: root.id === 2 ? 3 : 2 } : meta
    put(metaPage(this.#pageSize, { ...meta, id: 0, txid: 8 }), 0)
    put(metaPage(this.#pageSize, { ...older, id: 1, txid: 7 }), 1)
    return file
  }

  /** Free pages keep what they held: some page of this database, under their own number. */
  #fillFree(free: readonly number[], padding: number, put: (page: Buffer, id: number) => void): void {
    const stale = free.slice(0, free.length - padding)
    for (const [i, id] of stale.entries()) {
      const node = this.#nodes[(i * 7) % this.#nodes.length]
      if (node !== undefined) put(this.#pageOf({ ...node, id, pages: 1 }), id)
    }
    const noisy = free[stale.length]
    if (noisy !== undefined) put(noiseOf(padding * this.#pageSize, padding, this.#spec.repeats), noisy)
  }

  #treeOf(spec: BucketSpec): Node {
    const elements = this.#elementsOf(spec)
    let level = this.#split('leaf', elements, spec.perPage)
    while (level.length > 1) {
      const children = level.map(node => ({
        flags: 0,
        key: node.elements[0]?.key ?? Buffer.alloc(0),
        value: node,
      }))
      level = this.#split('branch', children, Math.max(2, spec.perPage ?? 0xffff))
    }
    return level[0] as Node
  }

  #elementsOf({ entries }: BucketSpec): Element[] {
    return entries
      .map(([key, value]): Element => {
        const name = Buffer.from(key)
        if (typeof value === 'string' || Buffer.isBuffer(value))
          return { flags: 0, key: name, value: Buffer.from(value) }
        if (value.inline !== true) return { flags: 1, key: name, value: { root: this.#treeOf(value) } }
        const elements = this.#elementsOf(value)
        const size = sizeOf(elements)
        const page = Buffer.alloc(size)
        write(page, 0, 2, 0, elements)
        return { flags: 1, key: name, value: Buffer.concat([Buffer.alloc(16), page]) }
      })
      .sort((a, b) => a.key.compare(b.key))
  }

  #split(kind: Node['kind'], elements: readonly Element[], perPage = 0xffff): Node[] {
    const nodes: Node[] = []
    let part: Element[] = []
    let size = HEADER
    const flush = () => {
      nodes.push({ kind, elements: part, id: 0, pages: Math.max(1, Math.ceil(size / this.#pageSize)) })
      part = []
      size = HEADER
    }
    for (const element of elements) {
      const more = sizeOf([element]) - HEADER
      if (part.length > 0 && (part.length >= perPage || size + more > this.#pageSize)) flush()
      part.push(element)
      size += more
    }
    if (part.length > 0 || nodes.length === 0) flush()
    for (const node of nodes) this.#nodes.push(node)
    return nodes
  }

  #pageOf({ kind, elements, id, pages }: Node): Buffer {
    const page = Buffer.alloc(Math.max(pages * this.#pageSize, sizeOf(elements)))
    write(page, id, kind === 'leaf' ? 2 : 1, pages - 1, elements)
    return page.subarray(0, pages * this.#pageSize)
  }

  #listPage(id: number, free: readonly number[]): Buffer {
    const isMany = free.length >= 0xffff
    const size = HEADER + (free.length + (isMany ? 1 : 0)) * 8
    const pages = Math.ceil(size / this.#pageSize)
    const page = Buffer.alloc(pages * this.#pageSize)
    header(page, id, 0x10, isMany ? 0xffff : free.length, pages - 1)
    const all = isMany ? [free.length, ...free] : free
    for (const [i, n] of all.entries()) page.writeBigUInt64LE(BigInt(n), HEADER + 8 * i)
    return page
  }
}

function sizeOf(elements: readonly Element[]): number {
  const lengthOf = ({ value }: Element) => (Buffer.isBuffer(value) ? value.length : 'root' in value ? 16 : 0)
  return elements.reduce((sum, e) => sum + ELEMENT + e.key.length + lengthOf(e), HEADER)
}

function header(page: Buffer, id: number, flags: number, count: number, overflow: number): void {
  page.writeBigUInt64LE(BigInt(id), 0)
  page.writeUInt16LE(flags, 8)
  page.writeUInt16LE(count, 10)
  page.writeUInt32LE(overflow, 12)
}

function write(
  page: Buffer,
  id: number,
  flags: number,
  overflow: number,
  elements: readonly Element[],
): void {
  header(page, id, flags, elements.length, overflow)
  let data = HEADER + elements.length * ELEMENT
  for (const [i, element] of elements.entries()) {
    const at = HEADER + i * ELEMENT
    const { key, value } = element
    if (flags === 1) {
      page.writeUInt32LE(data - at, at)
      page.writeUInt32LE(key.length, at + 4)
      page.writeBigUInt64LE(BigInt((value as Node).id), at + 8)
      data += key.copy(page, data)
      continue
    }
    const bytes = Buffer.isBuffer(value) ? value : bucketHeader((value as Ref).root.id)
    page.writeUInt32LE(element.flags, at)
    page.writeUInt32LE(data - at, at + 4)
    page.writeUInt32LE(key.length, at + 8)
    page.writeUInt32LE(bytes.length, at + 12)
    data += key.copy(page, data)
    data += bytes.copy(page, data)
  }
}

function bucketHeader(root: number): Buffer {
  const value = Buffer.alloc(16)
  value.writeBigUInt64LE(BigInt(root), 0)
  return value
}

type MetaSpec = Readonly<{
  id: number
  root: number
  list: number | undefined
  highWater: number
  txid: number
}>

function metaPage(pageSize: number, { id, root, list, highWater, txid }: MetaSpec): Buffer {
  const page = Buffer.alloc(pageSize)
  header(page, id, 4, 0, 0)
  page.writeUInt32LE(0xed0cdaed, 16)
  page.writeUInt32LE(2, 20)
  page.writeUInt32LE(pageSize, 24)
  page.writeBigUInt64LE(BigInt(root), 32)
  page.writeBigUInt64LE(list === undefined ? 0xffffffffffffffffn : BigInt(list), 48)
  page.writeBigUInt64LE(BigInt(highWater), 56)
  page.writeBigUInt64LE(BigInt(txid), 64)
  return sealed(page)
}

/** Makes the checksum of a meta page right again after it was changed. */
export function sealed(page: Buffer): Buffer {
  page.writeBigUInt64LE(fnv1a(page.subarray(16, 72)), 72)
  return page
}

function shuffled<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [items[i], items[j]] as [T, T]
    items[i] = b
    items[j] = a
  }
}

function noiseOf(length: number, seed: number, repeats = false): Buffer {
  if (repeats) return Buffer.alloc(length, noiseOf(3000, seed))
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, `${seed} `), Buffer.alloc(16)).update(
    Buffer.alloc(length),
  )
}

/** A key of the bucket `key` (etcd: server/storage/mvcc/revision.go). */
export function revisionKey(main: number, sub = 0, isTombstone = false): Buffer {
  const key = Buffer.alloc(isTombstone ? 18 : 17, 't')
  key.writeBigUInt64BE(BigInt(main), 0)
  key.write('_', 8)
  key.writeBigUInt64BE(BigInt(sub), 9)
  return key
}

/** A mvccpb.KeyValue (etcd: api/mvccpb/kv.proto); of a tombstone only the key is set. */
export function keyValue(key: string, value: Buffer | string | undefined, revision = 1): Buffer {
  const bytes = (field: number, content: Buffer) =>
    Buffer.concat([Buffer.from([field * 8 + 2]), varint(content.length), content])
  const number = (field: number, content: number) =>
    Buffer.concat([Buffer.from([field * 8]), varint(content)])
  if (value === undefined) return bytes(1, Buffer.from(key))
  const revisions = [number(2, revision), number(3, revision), number(4, 1)]
  return Buffer.concat([bytes(1, Buffer.from(key)), ...revisions, bytes(5, Buffer.from(value))])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0))
    if (rest < 128) return Buffer.from(bytes)
  }
}

/** The buckets of etcd 3.5, all empty but `key` (etcd: server/storage/schema/bucket.go). */
export function etcdBuckets(key: BucketSpec): Record<string, BucketSpec> {
  const names = [
    'alarm',
    'auth',
    'authRoles',
    'authUsers',
    'cluster',
    'lease',
    'members',
    'members_removed',
    'meta',
  ]
  const empty: BucketSpec = { entries: [], inline: true }
  return { ...Object.fromEntries(names.map(name => [name, empty])), key }
}

/**
 * A database of etcd with noise for values, as it is in a snapshot but for the trailer: of `bytes` rounded up to whole
 * pages, four at least, and that last revision.
 */
export function smallDatabase({
  bytes = 64 * 1024,
  revision = 1000,
  seed = 1,
  repeats = false,
}: Readonly<{ bytes?: number; revision?: number; seed?: number; repeats?: boolean }> = {}): Buffer {
  // Some three quarters of it are live.
  const count = Math.max(1, Math.min(revision - 1, Math.floor(((bytes - 16_384) * 0.7) / 1200)))
  const noise = noiseOf(1000 * count, seed, repeats)
  const entries = Array.from({ length: count }, (_, i) => {
    const main = revision - count + 1 + i
    const name = `/registry/configmaps/default/object-${String(i).padStart(7, '0')}`
    return [revisionKey(main), keyValue(name, noise.subarray(i * 1000, (i + 1) * 1000), main)] as const
  })
  const buckets = etcdBuckets({ entries })
  const least = databaseOf({ buckets })
  const padding = Math.max(0, Math.ceil((bytes - least.length) / 4096))
  return padding === 0 ? least : databaseOf({ buckets, padding, repeats })
}
