import crc32c from 'crc-32/crc32c.js'
import type { Bucket } from './buckets.js'

/** The CRC-32C of so many bytes. */
export type Crc = Readonly<{ crc: number; bytes: number }>

/**
 * The hash of `etcdutl snapshot status`: CRC-32C over the name of each bucket at the top and then all its keys and
 * values, in the order of the keys (etcd: etcdutl/snapshot/v3_snapshot.go, Status). Pages come in another order, so
 * each has its own CRC, and at the end those of each tree are put together.
 */
export class Fingerprint {
  readonly #crcs: Uint32Array
  readonly #bytes: Uint32Array
  readonly #branches = new Map<number, Uint32Array>()
  readonly #inline = new Map<Bucket, Crc>()

  constructor(pages: number) {
    this.#crcs = new Uint32Array(pages)
    this.#bytes = new Uint32Array(pages)
  }

  begin(page: Buffer): PageCrc {
    return new PageCrc(page)
  }

  leaf(id: number, crc: PageCrc | undefined): void {
    if (crc === undefined) return
    const end = crc.end()
    this.#crcs[id] = end.crc
    this.#bytes[id] = end.bytes
  }

  branch(id: number, children: readonly number[]): void {
    this.#branches.set(id, Uint32Array.from(children))
  }

  inline(bucket: Bucket, crc: PageCrc | undefined): void {
    if (crc !== undefined) this.#inline.set(bucket, crc.end())
  }

  /** Of all, with the buckets at the top in the order of their names. */
  of(buckets: readonly Bucket[]): number {
    let total: Crc = { crc: 0, bytes: 0 }
    for (const bucket of buckets) {
      const name = { crc: crc32c.buf(bucket.name) >>> 0, bytes: bucket.name.length }
      total = combine(total, name)
      const inline = this.#inline.get(bucket)
      if (inline !== undefined) total = combine(total, inline)
      else for (const leaf of this.#under(bucket.root)) total = combine(total, leaf)
    }
    return total.crc
  }

  *#under(id: number): Generator<Crc> {
    const children = this.#branches.get(id)
    if (children === undefined) yield { crc: this.#crcs[id] ?? 0, bytes: this.#bytes[id] ?? 0 }
    else for (const child of children) yield* this.#under(child)
  }
}

/** Of the parts of one page, which mostly lie one behind the other. */
class PageCrc {
  readonly #page: Buffer
  #from = 0
  #to = 0
  #crc = 0
  #bytes = 0

  constructor(page: Buffer) {
    this.#page = page
  }

  add(from: number, to: number): void {
    if (from !== this.#to) {
      this.#flush()
      this.#from = from
    }
    this.#to = to
  }

  end(): Crc {
    this.#flush()
    this.#from = this.#to
    return { crc: this.#crc >>> 0, bytes: this.#bytes }
  }

  #flush(): void {
    this.#crc = crc32c.buf(this.#page.subarray(this.#from, this.#to), this.#crc)
    this.#bytes += this.#to - this.#from
  }
}

/** CRC-32C's polynomial, its bits mirrored (RFC 3720, B.4). */
const POLYNOMIAL = 0x82f63b78
type Matrix = readonly number[]

/** The CRC of what two CRCs are of, one behind the other: zlib's crc32_combine, where appending zeros is a matrix over GF(2). */
export function combine(a: Crc, b: Crc): Crc {
  let { crc } = a
  for (let bytes = b.bytes, power = 0; bytes > 0; bytes = Math.floor(bytes / 2), power++)
    if (bytes % 2 === 1) crc = times(zeros(power), crc)
  return { crc: (crc ^ b.crc) >>> 0, bytes: a.bytes + b.bytes }
}

function times(matrix: Matrix, vector: number): number {
  let sum = 0
  for (let bit = 0; bit < 32; bit++) if ((vector >>> bit) & 1) sum ^= matrix[bit] ?? 0
  return sum >>> 0
}

const square = (matrix: Matrix): Matrix => matrix.map(row => times(matrix, row))

const powers: Matrix[] = []

/** What 2^power bytes of zeros make of a CRC. */
function zeros(power: number): Matrix {
  if (powers.length === 0) {
    const oneBit = Array.from({ length: 32 }, (_, i) => (i === 0 ? POLYNOMIAL : 2 ** (i - 1)))
    powers.push(square(square(square(oneBit))))
  }
  for (let last = powers.at(-1); powers.length <= power && last !== undefined; last = powers.at(-1))
    powers.push(square(last))
  return powers[power] ?? []
}
