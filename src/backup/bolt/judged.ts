import { Damage, type Fail } from './damage.js'
import { Gathered } from './gathered.js'
import { eachEntry, type Header, headerOf, LEAF, prefixOf } from './page.js'

/** What matters of a leaf without buckets once its entries are known to be in order. */
export type Judgement = Readonly<{ count: number; overflow: number; first: number; last: number }>

/** Pages and leaves that may be collected at a time: any page may be free, and its overflow other pages' place. */
const [LONGEST, MOST_OPEN] = [1024, 4]

const BLOCK = 1 << 14

type Open = Readonly<{ id: number; header: Header; bytes: number; parts: Gathered }>

/**
 * Looks at leaves in the first pass, when nobody knows yet whether they are in use, and remembers some 20 bytes of each
 * that is in order, so that those in use need not be read again. The others are left to a later pass, as are those with
 * buckets in them.
 */
export class Judged {
  /** Of `BLOCK` pages each, so that nothing is copied when there are more. */
  readonly #blocks: Block[] = []
  #open: Open[] = []
  #spare = Array.from({ length: MOST_OPEN }, () => new Gathered())

  offer(id: number, page: Buffer): void {
    if (this.#open.length > 0) this.#collect(page)
    const header = headerOf(page)
    if (header.flags !== LEAF || header.id !== id) return
    if (header.overflow === 0) this.#judge(id, page, header)
    else this.#begin(id, page, header)
  }

  #begin(id: number, page: Buffer, header: Header): void {
    if (header.overflow > LONGEST) return
    const parts = this.#spare.pop()
    if (parts === undefined) return
    parts.clear()
    parts.add(page)
    this.#open.push({ id, header, bytes: (header.overflow + 1) * page.length, parts })
  }

  /** Of the first pass; only what was found is kept. */
  end(): void {
    this.#open = []
    this.#spare = []
  }

  get(id: number): Judgement | undefined {
    const [block, at] = [this.#blocks[Math.floor(id / BLOCK)], id % BLOCK]
    if (block?.isKnown[at] !== 1) return undefined
    return {
      count: block.counts[at] ?? 0,
      overflow: block.overflows[at] ?? 0,
      first: block.firsts[at] ?? 0,
      last: block.lasts[at] ?? 0,
    }
  }

  #collect(page: Buffer): void {
    for (const { id, header, bytes, parts } of this.#open) {
      parts.add(page)
      if (parts.length < bytes) continue
      this.#judge(id, parts.bytes, header)
      this.#spare.push(parts)
    }
    this.#open = this.#open.filter(({ bytes, parts }) => parts.length < bytes)
  }

  #judge(id: number, page: Buffer, { count, overflow }: Header): void {
    let first: number | undefined
    let last = 0
    try {
      eachEntry(page, count, refuse, (isBucket, key, value) => {
        if (isBucket) throw refused
        last = prefixOf(page, key, value)
        first ??= last
      })
    } catch (error) {
      if (error === refused) return
      throw error
    }
    const [number, at] = [Math.floor(id / BLOCK), id % BLOCK]
    const block = this.#blocks[number] ?? new Block()
    this.#blocks[number] = block
    block.isKnown[at] = 1
    block.counts[at] = count
    block.overflows[at] = overflow
    block.firsts[at] = first ?? 0
    block.lasts[at] = last
  }
}

class Block {
  readonly isKnown = new Uint8Array(BLOCK)
  readonly counts = new Uint16Array(BLOCK)
  readonly overflows = new Uint16Array(BLOCK)
  readonly firsts = new Float64Array(BLOCK)
  readonly lasts = new Float64Array(BLOCK)
}

/** One for all, since free pages may hold anything, and a stack each would cost more than the page. */
const refused = new Damage(0, 0, 'it is left to a later pass')
const refuse: Fail = () => refused
