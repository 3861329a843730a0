import { Damage, type Fail } from './damage.js'
import { Gathered } from './gathered.js'
import { eachEntry, type Header, headerOf, LEAF, prefixOf } from './page.js'

/** What matters of a leaf without buckets once its entries are known to be in order. */
export type Judgement = Readonly<{ count: number; overflow: number; first: number; last: number }>

/** Pages and leaves that may be collected at a time: any page may be free, and its overflow other pages' place. */
const [LONGEST, MOST_OPEN] = [1024, 4]

type Open = Readonly<{ id: number; header: Header; bytes: number; parts: Gathered }>

/**
 * Looks at leaves in the first pass, when nobody knows yet whether they are in use, and remembers some 20 bytes of each
 * that is in order, so that those in use need not be read again. The others are left to a later pass, as are those with
 * buckets in them.
 */
export class Judged {
  #isKnown = new Uint8Array(1024)
  #counts = new Uint16Array(1024)
  #overflows = new Uint16Array(1024)
  #firsts = new Float64Array(1024)
  #lasts = new Float64Array(1024)
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
    if (this.#isKnown[id] !== 1) return undefined
    return {
      count: this.#counts[id] ?? 0,
      overflow: this.#overflows[id] ?? 0,
      first: this.#firsts[id] ?? 0,
      last: this.#lasts[id] ?? 0,
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
    if (id >= this.#isKnown.length) this.#grow(id + 1)
    this.#isKnown[id] = 1
    this.#counts[id] = count
    this.#overflows[id] = overflow
    this.#firsts[id] = first ?? 0
    this.#lasts[id] = last
  }

  #grow(least: number): void {
    const length = Math.max(least, this.#isKnown.length * 2)
    const grown = <A extends { set(from: A): void }>(into: A, from: A): A => {
      into.set(from)
      return into
    }
    this.#isKnown = grown(new Uint8Array(length), this.#isKnown)
    this.#counts = grown(new Uint16Array(length), this.#counts)
    this.#overflows = grown(new Uint16Array(length), this.#overflows)
    this.#firsts = grown(new Float64Array(length), this.#firsts)
    this.#lasts = grown(new Float64Array(length), this.#lasts)
  }
}

/** One for all, since free pages may hold anything, and a stack each would cost more than the page. */
const refused = new Damage(0, 0, 'it is left to a later pass')
const refuse: Fail = () => refused
