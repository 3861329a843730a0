import type { Fail } from './damage.js'

/** Shapes of bbolt's pages (bbolt: internal/common/page.go). */
export const HEADER = 16
export const ELEMENT = 16
export const BRANCH = 1
export const LEAF = 2
export const META = 4
export const FREELIST = 0x10

export type Header = Readonly<{ id: number; flags: number; count: number; overflow: number }>

export const headerOf = (page: Buffer): Header => ({
  id: u64(page, 0),
  flags: page.readUInt16LE(8),
  count: page.readUInt16LE(10),
  overflow: page.readUInt32LE(12),
})

/** A little-endian number of 64 bits; beyond 2^53 it loses its last ones, but stays beyond. */
export const u64 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32

/** Offsets of key, value and end within the page. */
export type UseEntry = (isBucket: boolean, key: number, value: number, end: number) => void
export type UseChild = (child: number, key: number, end: number) => void

/**
 * Calls `use` with every element of a leaf page. Throws `Damage` where one lies outside of the page or over another, or
 * where keys do not ascend: bbolt writes the data behind the table in the order of the table (bbolt:
 * internal/common/inode.go, WriteInodeToPage).
 */
export function eachEntry(page: Buffer, count: number, fail: Fail, use: UseEntry): void {
  const keys = new Ascending(page, count, fail)
  for (let i = 0; i < count; i++) {
    const at = HEADER + i * ELEMENT
    const flags = page.readUInt32LE(at)
    if (flags > 1) throw fail(`entry ${i + 1} of ${count} has unknown flags (${flags})`)
    const key = at + page.readUInt32LE(at + 4)
    const value = key + page.readUInt32LE(at + 8)
    const end = value + page.readUInt32LE(at + 12)
    keys.next(i, key, value, end)
    use(flags === 1, key, value, end)
  }
}

/** The same with the children of a branch page. */
export function eachChild(page: Buffer, count: number, fail: Fail, use: UseChild): void {
  const keys = new Ascending(page, count, fail)
  for (let i = 0; i < count; i++) {
    const at = HEADER + i * ELEMENT
    const key = at + page.readUInt32LE(at)
    const end = key + page.readUInt32LE(at + 4)
    keys.next(i, key, end, end)
    use(u64(page, at + 8), key, end)
  }
}

class Ascending {
  readonly #page: Buffer
  readonly #count: number
  readonly #fail: Fail
  /** Where data may begin: behind the table, and behind what the elements before have. */
  #from: number
  #key = 0
  #keyEnd = 0

  constructor(page: Buffer, count: number, fail: Fail) {
    this.#page = page
    this.#count = count
    this.#fail = fail
    this.#from = HEADER + count * ELEMENT
    if (this.#from > page.length) throw fail(`it should have ${count} entries, more than find room in it`)
  }

  next(i: number, key: number, keyEnd: number, end: number): void {
    const page = this.#page
    if (key < this.#from || end > page.length)
      throw this.#fail(
        `entry ${i + 1} of ${this.#count} should be at bytes ${key} to ${end} of ${page.length}, where it cannot be`,
      )
    if (key === keyEnd) throw this.#fail(`entry ${i + 1} of ${this.#count} has no key`)
    if (i > 0 && page.compare(page, this.#key, this.#keyEnd, key, keyEnd) <= 0)
      throw this.#fail(`the keys do not ascend at entry ${i + 1} of ${this.#count}`)
    this.#from = end
    this.#key = key
    this.#keyEnd = keyEnd
  }
}

/**
 * The first 8 bytes of a key as a number that orders as keys do, save that different ones may be equal. Of a key of
 * the bucket `key` it is the revision.
 */
export function prefixOf(page: Buffer, from: number, end: number): number {
  if (end - from >= 8) return page.readUInt32BE(from) * 2 ** 32 + page.readUInt32BE(from + 4)
  let prefix = 0
  for (let at = from; at < from + 8; at++) prefix = prefix * 256 + (at < end ? (page[at] ?? 0) : 0)
  return prefix
}
