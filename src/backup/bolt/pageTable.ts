import { Damage } from './damage.js'

const WANTED = 1
const USED = 2
const FREE = 4

/** What is expected of a page that another one refers to. */
export type Expected = Readonly<{
  /** Number of the bucket it belongs to. */
  bucket: number
  /** Prefixes between which its keys must be. */
  lower: number
  upper: number
  /** Pages above it. */
  depth: number
}>

/** Stands for the bucket of the list of free pages. */
export const NO_BUCKET = 0xffff
/** bbolt's trees are five or six pages deep at most; it is what bounds the number of passes. */
const DEEPEST = 64

/** What is known of each page, in some 20 bytes each. */
export class PageTable {
  readonly pageSize: number
  /** Pages below the high water mark; others are never looked at. */
  readonly count: number
  readonly #states: Uint8Array
  readonly #buckets: Uint16Array
  readonly #depths: Uint8Array
  readonly #lower: Float64Array
  readonly #upper: Float64Array
  wanted = 0
  used = 2 // the meta pages

  constructor(count: number, pageSize: number) {
    this.count = count
    this.pageSize = pageSize
    this.#states = new Uint8Array(count)
    this.#buckets = new Uint16Array(count)
    this.#depths = new Uint8Array(count)
    this.#lower = new Float64Array(count)
    this.#upper = new Float64Array(count)
  }

  /** Page `by` refers to page `id`. Throws `Damage` where it must not. */
  want(id: number, by: number, { bucket, lower, upper, depth }: Expected): void {
    if (!(id >= 2 && id < this.count))
      throw this.damage(by, `it refers to page ${id}, but those that can be are 2 to ${this.count - 1}`)
    if (this.#is(id, WANTED | USED)) throw this.damage(id, `it is used twice, the second time by page ${by}`)
    if (this.#is(id, FREE)) throw this.damage(id, `it is used by page ${by} and on the list of free pages`)
    if (depth > DEEPEST) throw this.damage(id, `it lies under ${DEEPEST} other pages, which bbolt never does`)
    this.#states[id] = WANTED
    this.#buckets[id] = bucket
    this.#depths[id] = depth
    this.#lower[id] = lower
    this.#upper[id] = upper
    this.wanted += 1
  }

  isWanted(id: number): boolean {
    return id < this.count && this.#is(id, WANTED)
  }

  /** Takes a wanted page with its overflow. Throws `Damage` where that is not free for it. */
  claim(id: number, overflow: number): Expected {
    if (overflow >= this.count - id)
      throw this.damage(id, `it should go on for ${overflow} pages, beyond the end of the database`)
    this.#states[id] = 0
    this.wanted -= 1
    for (let page = id; page <= id + overflow; page++) {
      if (this.#is(page, WANTED | USED))
        throw this.damage(page, `it is used twice: by itself and as a part of page ${id}`)
      if (this.#is(page, FREE))
        throw this.damage(page, `it is used, as page ${id} or a part of it, and on the list of free pages`)
      this.#states[page] = USED
    }
    this.used += overflow + 1
    return {
      bucket: this.#buckets[id] ?? 0,
      lower: this.#lower[id] ?? 0,
      upper: this.#upper[id] ?? 0,
      depth: this.#depths[id] ?? 0,
    }
  }

  /** The list of free pages has page `id`. */
  free(id: number, list: number): void {
    if (!(id >= 2 && id < this.count))
      throw this.damage(list, `it lists page ${id} as free, but those that can be are 2 to ${this.count - 1}`)
    if (this.#is(id, FREE)) throw this.damage(list, `it lists page ${id} as free twice`)
    if (this.#is(id, WANTED | USED)) throw this.damage(id, 'it is used and on the list of free pages')
    this.#states[id] = FREE
  }

  damage(id: number, problem: string, pages = 1): Damage {
    return new Damage(id, this.pageSize, problem, pages)
  }

  #is(id: number, states: number): boolean {
    return ((this.#states[id] ?? 0) & states) !== 0
  }
}
