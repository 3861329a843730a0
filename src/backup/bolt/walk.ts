import type { Contents } from '../../model/backup.js'
import { PageCache } from './cache.js'
import { Damage } from './damage.js'
import { Fingerprint } from './fingerprint.js'
import { Gathered } from './gathered.js'
import { Judged } from './judged.js'
import { type Meta, readMeta } from './meta.js'
import { Pages } from './pages.js'
import { PageTable } from './pageTable.js'
import { type Claimed, Tree, type UseLiveEntry } from './tree.js'

export type WalkOptions = Readonly<{
  /** Told of every live entry, page by page and not in the order of the keys. */
  use?: UseLiveEntry
  /** Computes etcdutl's hash as well. */
  hash?: boolean
  /** Bytes of pages that may be kept from the first pass. */
  cacheBytes?: number
  /** There will be a second pass whether this needs one or not. */
  readsTwice?: boolean
}>

const MIB = 1024 * 1024
/** A value of etcd is some MiB at most (--max-request-bytes); this is a bound for memory. */
const LARGEST_PAGE = 256 * MIB
type Long = Readonly<{ id: number; claimed: Claimed; bytes: number }>

/** etcd's SHA-256 behind the pages of a snapshot. */
const [SECTOR, TRAILER] = [512, 32]

/**
 * Checks a bbolt database that passes as a stream, as often as need be: every page that is in use is looked at once.
 * Of each page it remembers some 40 bytes, beside a cache of a fixed size; no content makes it take more, or go on for
 * ever. After the first `Damage` it is of no use any more.
 */
export class Walk {
  readonly #pages = new Pages((id, page) => this.#page(id, page))
  readonly #options: WalkOptions
  readonly #cache: PageCache
  /** Of no use where all entries are to be seen. */
  readonly #judged: Judged | undefined
  #fingerprint: Fingerprint | undefined
  #metas: Meta[] = []
  #bytes: number | undefined
  #tree: Tree | undefined
  #table: PageTable | undefined
  /** Wanted pages that may be in the cache. */
  #ready: number[] = []
  #long: Long | undefined
  readonly #parts = new Gathered()

  constructor(options: WalkOptions = {}) {
    this.#options = options
    this.#cache = new PageCache(options.cacheBytes ?? 32 * MIB, options.readsTwice === true)
    if (options.use === undefined && options.hash !== true) this.#judged = new Judged()
  }

  /** The next bytes of the pass, in pieces of any size. Throws `Damage`. */
  update(chunk: Buffer): void {
    this.#pages.update(chunk)
  }

  /** Whether all has to be given once more, from its beginning. Throws `Damage`. */
  endPass(): boolean {
    const { bytes, pageSize } = this.#pages
    if (this.#metas.length < 2) throw new Damage(0, pageSize || 4096, 'it has no room for two meta pages')
    if (this.#bytes === undefined) this.#beginTree(bytes, pageSize)
    else if (this.#bytes !== bytes)
      throw new Damage(Math.floor(bytes / pageSize), pageSize, 'the file changed while it was read')
    this.#bytes = bytes
    this.#pages.rewind()
    if (this.#table === undefined || this.#table.wanted > 0) return true
    return false
  }

  /** After the last pass. */
  contents(): Contents {
    const { pageSize } = this.#pages
    const all = this.#tree?.buckets.all.slice(1) ?? []
    const top = this.#tree?.buckets.top ?? []
    return {
      pageSize,
      pages: Math.floor((this.#bytes ?? 0) / pageSize),
      livePages: this.#table?.used ?? 0,
      buckets: all
        .map(({ path: name, entries }) => ({ name, entries }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      totalKeys: top.reduce((sum, { entries }) => sum + entries, 0),
      revision: top.find(({ path }) => path === 'key')?.last ?? 0,
    }
  }

  /** After the last pass, where it was asked for; 32 bits. */
  hash(): number {
    return this.#fingerprint?.of(this.#tree?.buckets.top ?? []) ?? 0
  }

  /** Bytes up to the high water mark: all that etcd would read. */
  get size(): number {
    return this.#newest.highWater * this.#pages.pageSize
  }

  /**
   * Whether bbolt may have written it as the copy of a database, which a snapshot is: then both meta pages tell of the
   * same transaction, the second one with the number before (bbolt: tx.go, WriteTo). A member's own file is like that
   * only where its last transaction changed nothing.
   */
  get isCopy(): boolean {
    const [first, second] = this.#metas
    if (first === undefined || second === undefined) return false
    const { root, freelist, highWater, txid } = second
    return (
      root === first.root &&
      freelist === first.freelist &&
      highWater === first.highWater &&
      txid + 1 === first.txid
    )
  }

  get #newest(): Meta {
    const [first, second] = this.#metas
    if (first === undefined || second === undefined) throw new Error('asked before the first pass')
    return second.txid > first.txid ? second : first
  }

  #page(id: number, page: Buffer): void {
    if (this.#tree === undefined) this.#census(id, page)
    else if (this.#long !== undefined) this.#goOn(this.#long, page)
    else if (this.#table?.isWanted(id)) this.#reach(this.#tree, id, page)
  }

  #census(id: number, page: Buffer): void {
    if (id === 0 || id === 1) this.#metas.push(readMeta(page, id, this.#pages.pageSize))
    this.#judged?.offer(id, page)
    this.#cache.offer(
      id,
      page,
      this.#metas.some(({ root }) => root === id),
    )
  }

  /** All sizes are known now, so nothing that a meta page says is believed where it cannot be. */
  #beginTree(bytes: number, pageSize: number): void {
    const meta = this.#newest
    const isSnapshot = bytes % SECTOR === TRAILER
    const database = bytes - (isSnapshot ? TRAILER : 0)
    const count = Math.floor(database / pageSize)
    const says = `the meta page says that there are ${meta.highWater} pages of ${pageSize} bytes`
    if (meta.highWater * pageSize > database)
      throw new Damage(count, pageSize, `it is not there, or not all of it: ${says}, so the end was cut off`)
    if (database % pageSize !== 0)
      throw new Damage(count, pageSize, `the file ends within it: ${says}, so something was appended`)
    if (isSnapshot && meta.highWater !== count)
      throw new Damage(meta.highWater, pageSize, `it should not be there: ${says}, so something was appended`)
    this.#table = new PageTable(meta.highWater, pageSize)
    if (this.#options.hash === true) this.#fingerprint = new Fingerprint(meta.highWater)
    const found = (id: number) => void this.#ready.push(id)
    this.#judged?.end()
    this.#tree = new Tree(this.#table, found, this.#options.use, this.#fingerprint)
    this.#tree.begin(meta, meta === this.#metas[0] ? 0 : 1)
    this.#followCached(this.#tree)
  }

  #reach(tree: Tree, id: number, page: Buffer): void {
    const claimed = tree.claim(id, page)
    const bytes = (claimed.header.overflow + 1) * page.length
    if (bytes > LARGEST_PAGE)
      throw new Damage(
        id,
        page.length,
        `it should go on for ${bytes} bytes, more than etcd ever stores at once`,
      )
    if (claimed.header.overflow === 0) {
      this.#visit(tree, id, page, claimed)
      return
    }
    this.#long = { id, claimed, bytes }
    this.#parts.clear()
    this.#parts.add(page)
  }

  #goOn({ id, claimed, bytes }: Long, page: Buffer): void {
    this.#parts.add(page)
    if (this.#parts.length < bytes || this.#tree === undefined) return
    this.#long = undefined
    this.#visit(this.#tree, id, this.#parts.bytes, claimed)
  }

  #visit(tree: Tree, id: number, page: Buffer, claimed: Claimed): void {
    tree.visit(id, page, claimed)
    this.#followCached(tree)
  }

  #followCached(tree: Tree): void {
    for (let id = this.#ready.pop(); id !== undefined; id = this.#ready.pop()) {
      const page = this.#cache.get(id)
      const judgement = page === undefined ? this.#judged?.get(id) : undefined
      if (page !== undefined) tree.visit(id, page, tree.claim(id, page))
      else if (judgement !== undefined) tree.take(id, judgement)
    }
  }
}
