import { Gathered } from './gathered.js'
import { META_END, readMeta } from './meta.js'

/** Cuts a stream into pages, whose size it takes from its beginning. */
export class Pages {
  readonly #use: (id: number, page: Buffer) => void
  #pageSize = 0
  readonly #carried = new Gathered()
  #next = 0
  bytes = 0

  /** `use` may keep what it is given no longer than the call. */
  constructor(use: (id: number, page: Buffer) => void) {
    this.#use = use
  }

  /** 0 before the first bytes. */
  get pageSize(): number {
    return this.#pageSize
  }

  /** Throws `Damage` where the stream does not begin with a meta page. */
  update(chunk: Buffer): void {
    this.bytes += chunk.length
    let rest = this.#pageSize === 0 ? this.#begun(chunk) : this.#completed(chunk)
    if (this.#pageSize === 0) return
    while (rest.length >= this.#pageSize) {
      this.#use(this.#next++, rest.subarray(0, this.#pageSize))
      rest = rest.subarray(this.#pageSize)
    }
    this.#carried.add(rest)
  }

  /** All that there is so far, once that says how large a page is. */
  #begun(chunk: Buffer): Buffer {
    this.#carried.add(chunk)
    if (this.#carried.length < META_END) return chunk
    const begun = Buffer.from(this.#carried.bytes)
    this.#carried.clear()
    this.#pageSize = readMeta(begun, 0).pageSize
    return begun
  }

  /** Gives out the page that was begun, as soon as it is whole, and what is behind it. */
  #completed(chunk: Buffer): Buffer {
    if (this.#carried.length === 0) return chunk
    const wanted = this.#pageSize - this.#carried.length
    if (chunk.length < wanted) return chunk // it is still too short, and is added
    this.#carried.add(chunk.subarray(0, wanted))
    this.#use(this.#next++, this.#carried.bytes)
    this.#carried.clear()
    return chunk.subarray(wanted)
  }

  /** From the beginning again. */
  rewind(): void {
    this.#carried.clear()
    this.#next = 0
    this.bytes = 0
  }
}
