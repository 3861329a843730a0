import { BRANCH, ELEMENT, HEADER, headerOf } from './page.js'

/** Pages kept from the first pass: with them a tree is followed down to its leaves without reading again. */
export class PageCache {
  readonly #pages = new Map<number, Buffer>()
  #room: number
  #headRoom: number

  /** Of `bytes` a quarter is for the beginning of the file, so that a small one is read once only; nothing of it for `readsTwice`. */
  constructor(bytes: number, readsTwice: boolean) {
    const head = Math.floor(bytes / 4)
    this.#headRoom = readsTwice ? 0 : head
    this.#room = bytes - head
  }

  /** Keeps a copy where it is worth it; `isRoot`: a tree without branches has its only page there. */
  offer(id: number, page: Buffer, isRoot: boolean): void {
    if (page.length <= this.#headRoom) this.#headRoom -= page.length
    else {
      this.#headRoom = 0 // pages after a gap are of no use to a small file
      if (!isRoot) {
        if (page.length > this.#room || !looksLikeBranch(id, page)) return
        this.#room -= page.length
      }
    }
    this.#pages.set(id, Buffer.from(page))
  }

  /** The page with its overflow, as far as all of it is here. */
  get(id: number): Buffer | undefined {
    const first = this.#pages.get(id)
    if (first === undefined) return undefined
    const { overflow } = headerOf(first)
    if (overflow === 0) return first
    if (overflow >= this.#pages.size) return undefined
    const all = [first]
    for (let next = id + 1; next <= id + overflow; next++) {
      const page = this.#pages.get(next)
      if (page === undefined) return undefined
      all.push(page)
    }
    return Buffer.concat(all)
  }
}

/** Free pages look like it too: they keep what they held. */
function looksLikeBranch(id: number, page: Buffer): boolean {
  const header = headerOf(page)
  return (
    header.flags === BRANCH &&
    header.id === id &&
    header.count > 0 &&
    HEADER + header.count * ELEMENT <= page.length * (1 + header.overflow)
  )
}
