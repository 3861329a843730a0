import { Damage, type Fail } from './damage.js'
import { HEADER, headerOf, META, u64 } from './page.js'

/** What a meta page says (bbolt: internal/common/meta.go). Numbers beyond 2^53 lose their last bits, and are out of any bounds. */
export type Meta = Readonly<{
  pageSize: number
  /** Page of the root of all buckets. */
  root: number
  /** Page of the list of free pages; undefined where it is not kept in the file, as etcd wants it. */
  freelist: number | undefined
  /** Pages in use lie below it. */
  highWater: number
  txid: number
}>

/** Bytes from the beginning of the file that tell the page size. */
export const META_END = HEADER + 64
const MAGIC = 0xed0cdaed
const VERSION = 2
const NOT_SYNCED = 2 ** 64
/** What Go's os.Getpagesize gives on any machine, with room to both sides. */
const [SMALLEST, LARGEST] = [512, 65_536]
/** How far a reader must look where the page size is not known. */
const USUAL = 4096

export const isMeta = (start: Buffer): boolean => start.length >= 20 && start.readUInt32LE(HEADER) === MAGIC

/** Reads meta page 0 or 1 from its first `META_END` bytes. Throws `Damage`. */
export function readMeta(page: Buffer, id: 0 | 1, pageSize?: number): Meta {
  const fail: Fail = problem =>
    new Damage(
      id,
      pageSize ?? USUAL,
      `${problem}; etcd would open the database with the other meta page, perhaps a transaction behind, and so this is not the file that was written`,
    )
  const header = headerOf(page)
  if (!isMeta(page)) throw fail('this meta page does not begin as one of bbolt')
  if (header.id !== id || header.flags !== META)
    throw fail(`this meta page calls itself page ${header.id} of type ${header.flags}`)
  const version = page.readUInt32LE(20)
  if (version !== VERSION) throw fail(`this meta page is of version ${version}, expected ${VERSION}`)
  if (fnv1a(page.subarray(HEADER, 72)) !== page.readBigUInt64LE(72))
    throw fail("this meta page's checksum is wrong")
  const size = page.readUInt32LE(24)
  if (size < SMALLEST || size > LARGEST || (size & (size - 1)) !== 0 || size !== (pageSize ?? size))
    throw fail(`this meta page speaks of pages of ${size} bytes`)
  const freelist = u64(page, 48)
  return {
    pageSize: size,
    root: u64(page, 32),
    freelist: freelist === NOT_SYNCED ? undefined : freelist,
    highWater: u64(page, 56),
    txid: u64(page, 64),
  }
}

/** FNV-1a with 64 bits, bbolt's checksum of a meta page (http://www.isthe.com/chongo/tech/comp/fnv/). */
export function fnv1a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}
