import { BUCKET_HEADER, type Bucket, Buckets } from './buckets.js'
import type { Fail } from './damage.js'
import type { Fingerprint } from './fingerprint.js'
import type { Judgement } from './judged.js'
import type { Meta } from './meta.js'
import {
  BRANCH,
  eachChild,
  eachEntry,
  FREELIST,
  HEADER,
  type Header,
  headerOf,
  LEAF,
  prefixOf,
  u64,
} from './page.js'
import { type Expected, NO_BUCKET, type PageTable } from './pageTable.js'

/** Called with the entries of each page in their order, and with the pages as they come. Buckets are no entries. */
export type UseLiveEntry = (bucket: Bucket, key: Buffer, value: Buffer) => void

export type Claimed = Readonly<{ header: Header; expected: Expected }>

/** Where bbolt keeps the real number of free pages once 16 bits do not hold it (bbolt: internal/common/page.go). */
const MANY = 0xffff

/** The trees of a database, whose pages may be visited in any order, each once. */
export class Tree {
  readonly buckets = new Buckets()
  readonly #table: PageTable
  readonly #use: UseLiveEntry | undefined
  readonly #fingerprint: Fingerprint | undefined
  readonly #found: (id: number) => void

  /** `found` is told of each page that is to be visited. */
  constructor(
    table: PageTable,
    found: (id: number) => void,
    use: UseLiveEntry | undefined,
    fingerprint: Fingerprint | undefined,
  ) {
    this.#table = table
    this.#found = found
    this.#use = use
    this.#fingerprint = fingerprint
  }

  begin(meta: Meta, metaPage: 0 | 1): void {
    this.#want(meta.root, metaPage, { bucket: 0, ...unbounded, depth: 0 })
    if (meta.freelist !== undefined)
      this.#want(meta.freelist, metaPage, { bucket: NO_BUCKET, ...unbounded, depth: 0 })
  }

  #want(id: number, by: number, expected: Expected): void {
    this.#table.want(id, by, expected)
    this.#found(id)
  }

  /** Takes a wanted page, of which only the first part need be there, with its overflow. Throws `Damage`. */
  claim(id: number, page: Buffer): Claimed {
    const header = headerOf(page)
    if (header.id !== id) throw this.#table.damage(id, `it calls itself page ${header.id}`)
    return { header, expected: this.#table.claim(id, header.overflow) }
  }

  /** Looks at a page that was claimed, with all of its overflow, and wants what it refers to. Throws `Damage`. */
  visit(id: number, page: Buffer, { header, expected }: Claimed): void {
    const fail: Fail = problem => this.#table.damage(id, problem, header.overflow + 1)
    const isList = expected.bucket === NO_BUCKET
    if (isList && header.flags === FREELIST) this.#visitFreelist(id, page, header, fail)
    else if (!isList && header.flags === BRANCH) this.#visitBranch(id, page, header, expected, fail)
    else if (!isList && header.flags === LEAF) this.#visitLeaf(id, page, header, expected, fail)
    else
      throw fail(
        `it is of type ${header.flags}, expected ${isList ? 'a list of free pages' : 'a branch or a leaf'}`,
      )
  }

  /** Takes a wanted leaf that was looked at before anybody knew whether it is in use. Throws `Damage`. */
  take(id: number, { count, overflow, first, last }: Judgement): void {
    const expected = this.#table.claim(id, overflow)
    const fail: Fail = problem => this.#table.damage(id, problem, overflow + 1)
    const bucket = this.buckets.all[expected.bucket]
    if (bucket === undefined) throw fail(`it is of type ${LEAF}, expected a list of free pages`)
    if (count === 0) return
    if (bucket.depth === 0) throw fail('it has a key that is in no bucket')
    checkRange(first, last, expected, fail)
    bucket.entries += count
    bucket.last = Math.max(bucket.last, last)
  }

  #visitBranch(id: number, page: Buffer, { count }: Header, expected: Expected, fail: Fail): void {
    if (count === 0) throw fail('it is a branch without children')
    const children: number[] = []
    const lower: number[] = []
    eachChild(page, count, fail, (child, key, end) => {
      children.push(child)
      lower.push(prefixOf(page, key, end))
    })
    checkRange(lower[0] ?? 0, lower.at(-1) ?? 0, expected, fail)
    for (const [i, child] of children.entries())
      this.#want(child, id, {
        bucket: expected.bucket,
        lower: lower[i] ?? 0,
        upper: lower[i + 1] ?? expected.upper,
        depth: expected.depth + 1,
      })
    this.#fingerprint?.branch(id, children)
  }

  #visitLeaf(id: number, page: Buffer, { count }: Header, expected: Expected, fail: Fail): void {
    const bucket = this.buckets.all[expected.bucket]
    if (bucket === undefined) throw new Error('a page of no bucket')
    const { first, last, crc } = this.#readLeaf(id, page, count, bucket, expected.depth, fail)
    if (count > 0) checkRange(first, last, expected, fail)
    this.#fingerprint?.leaf(id, crc)
  }

  #readLeaf(id: number, page: Buffer, count: number, bucket: Bucket, depth: number, fail: Fail) {
    const crc = bucket.depth === 1 ? this.#fingerprint?.begin(page) : undefined
    let first: number | undefined
    let last = 0
    eachEntry(page, count, fail, (isBucket, key, value, end) => {
      last = prefixOf(page, key, value)
      first ??= last
      crc?.add(key, isBucket ? value : end) // to etcdutl a nested bucket is a key without a value
      if (isBucket) this.#enter(id, bucket, page.subarray(key, value), page.subarray(value, end), depth, fail)
      else if (bucket.depth === 0) throw fail('it has a key that is in no bucket')
      else this.#use?.(bucket, page.subarray(key, value), page.subarray(value, end))
    })
    bucket.entries += count
    bucket.last = Math.max(bucket.last, last)
    return { first: first ?? 0, last, crc }
  }

  #enter(id: number, parent: Bucket, name: Buffer, value: Buffer, depth: number, fail: Fail): void {
    const number = this.buckets.add(parent, name, value, fail)
    const bucket = this.buckets.all[number]
    if (bucket === undefined) throw new Error('a bucket that was just added is not there')
    if (bucket.root !== 0) {
      this.#want(bucket.root, id, { bucket: number, ...unbounded, depth: depth + 1 })
      return
    }
    const page = value.subarray(BUCKET_HEADER)
    if (page.length < HEADER) throw fail('a bucket has neither a page nor what it holds')
    const header = headerOf(page)
    if (header.id !== 0 || header.flags !== LEAF || header.overflow !== 0)
      throw fail(`a bucket within the page is of type ${header.flags}, expected a leaf`)
    const inline: Fail = problem => fail(`in a bucket within the page, ${problem}`)
    const { crc } = this.#readLeaf(id, page, header.count, bucket, depth + 1, inline)
    this.#fingerprint?.inline(bucket, crc)
  }

  #visitFreelist(id: number, page: Buffer, { count }: Header, fail: Fail): void {
    const isMany = count === MANY
    const listed = isMany ? u64(page, HEADER) : count
    const from = isMany ? HEADER + 8 : HEADER
    if (from + listed * 8 > page.length)
      throw fail(`it should list ${listed} free pages, more than find room in it`)
    for (let i = 0; i < listed; i++) this.#table.free(u64(page, from + 8 * i), id)
  }
}

const unbounded = { lower: -Infinity, upper: Infinity }

function checkRange(first: number, last: number, { lower, upper }: Expected, fail: Fail): void {
  if (first < lower || last > upper) throw fail('its keys are not between those that its parent gives it')
}
