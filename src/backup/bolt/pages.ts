import { META_END, readMeta } from './meta.js'

/** Cuts a stream into pages, whose size it takes from its beginning. */
export class Pages {
  readonly #use: (id: number, page: Buffer) => void
  #pageSize = 0
  #carried: Buffer = Buffer.alloc(0)
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
    let rest = this.#carried.length === 0 ? chunk : this.#completed(chunk)
    if (this.#pageSize === 0) {
      if (rest.length < META_END) {
        this.#carried = Buffer.from(rest)
        return
      }
      this.#pageSize = readMeta(rest, 0).pageSize
    }
    while (rest.length >= this.#pageSize) {
      this.#use(this.#next++, rest.subarray(0, this.#pageSize))
      rest = rest.subarray(this.#pageSize)
    }
    this.#carried = Buffer.from(rest)
  }

  /** Gives out the page that was begun, as soon as it is whole, and what is behind it. */
  #completed(chunk: Buffer): Buffer {
    const wanted = this.#pageSize - this.#carried.length
    if (this.#pageSize === 0 || chunk.length < wanted) return Buffer.concat([this.#carried, chunk])
    this.#use(this.#next++, Buffer.concat([this.#carried, chunk.subarray(0, wanted)]))
    return chunk.subarray(wanted)
  }

  /** From the beginning again. */
  rewind(): void {
    this.#carried = Buffer.alloc(0)
    this.#next = 0
    this.bytes = 0
  }
}
