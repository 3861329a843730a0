import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Damage } from '../../src/backup/bolt/damage.js'
import { type BucketSpec, databaseOf, etcdBuckets, revisionKey, sealed } from '../lab/boltFile.js'
import { walked } from '../lab/walked.js'
import { noise } from './fixtures.js'

const SIZE = 512
const key: BucketSpec = {
  entries: Array.from({ length: 60 }, (_, i) => [
    revisionKey(i + 1),
    i % 20 === 7 ? noise(1500, i) : `value ${i}`,
  ]),
  perPage: 5,
}
const nested: BucketSpec = {
  entries: [
    ['a', { entries: [['b', 'c']] }],
    ['d', { entries: [['e', 'f']], inline: true }],
  ],
}
const buckets = { ...etcdBuckets(key), nested }
const files = [
  databaseOf({ buckets, pageSize: SIZE }),
  databaseOf({ buckets, pageSize: SIZE, freePages: 8, freelist: true, shuffle: 3 }),
]
const whole = files.map(file => walked(file).contents)

/** Numbers that are likely to hurt: of pages, around the bounds of all widths, and small ones. */
const number = fc.oneof(
  fc.nat(60),
  fc.constantFrom(0x7f, 0xff, 0xfff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
)
/** Places: in headers and tables of pages mostly. */
const place = fc.tuple(fc.nat(60), fc.oneof(fc.nat(100), fc.nat(SIZE - 1)))
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('number' as const), place, to: number, bytes: fc.constantFrom(1, 2, 4) }),
  fc.record({ kind: fc.constant('bit' as const), place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('page' as const), from: fc.nat(60), to: fc.nat(60) }),
  fc.record({ kind: fc.constant('zeros' as const), from: fc.nat(60), to: fc.nat(60) }),
  fc.record({ kind: fc.constant('cut' as const), place }),
  fc.record({
    kind: fc.constant('noise' as const),
    to: fc.nat(60),
    bytes: fc.uint8Array({ minLength: SIZE, maxLength: SIZE }),
  }),
)
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never

function mutated(file: Buffer, mutations: readonly Mutation[], isSealed: boolean): Buffer {
  let copy = Buffer.from(file)
  const pages = file.length / SIZE
  for (const m of mutations) {
    const at = 'place' in m ? (m.place[0] % pages) * SIZE + m.place[1] : 0
    const to = 'to' in m ? (m.to % pages) * SIZE : 0
    const isIn = at + 4 <= copy.length
    if (m.kind === 'number' && isIn) copy.writeUIntLE(m.to % 256 ** m.bytes, at, m.bytes)
    else if (m.kind === 'bit' && isIn) copy[at] = (copy[at] ?? 0) ^ (1 << m.bit)
    else if (m.kind === 'page' && to < copy.length)
      file.copy(copy, to, (m.from % pages) * SIZE, ((m.from % pages) + 1) * SIZE)
    else if (m.kind === 'zeros') copy.subarray(to, to + SIZE).fill(0)
    else if (m.kind === 'cut') copy = copy.subarray(0, at)
    else if (m.kind === 'noise' && to < copy.length) Buffer.from(m.bytes).copy(copy, to)
  }
  // With checksums made right again the damage gets past the first two pages.
  if (isSealed)
    for (const id of [0, 1])
      if (copy.length >= (id + 1) * SIZE) sealed(copy.subarray(id * SIZE, (id + 1) * SIZE))
  return copy
}

/** Ends with `Damage` or with contents: anything else is thrown on. */
function outcomeOf(file: Buffer, cacheBytes: number, hash = true): string {
  try {
    return JSON.stringify(walked(file, { cacheBytes, piece: 700, hash }).contents)
  } catch (error) {
    if (error instanceof Damage) return error.message
    throw error
  }
}

describe('whatever a file holds, it ends as damage or with contents:', () => {
  it('mutated pages', () => {
    let damaged = 0
    const before = process.memoryUsage()
    fc.assert(
      fc.property(
        fc.nat(1),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.constantFrom(0, 8000, 1 << 20),
        (which, mutations, isSealed, cacheBytes) => {
          const file = mutated(files[which] ?? Buffer.alloc(0), mutations, isSealed)
          const outcome = outcomeOf(file, cacheBytes)
          if (outcome.startsWith('page ')) damaged += 1
          // Whether pages are cached, judged before or read again makes no difference to what is whole.
          for (const other of [outcomeOf(file, 1 << 21), outcomeOf(file, cacheBytes, false)])
            if (!outcome.startsWith('page ')) assert.equal(other, outcome)
            else assert.match(other, /^page /)
        },
      ),
      { numRuns: 3000, interruptAfterTimeLimit: 2500 },
    )
    assert.ok(damaged > 100, `${damaged} were damaged`)
    const grown = process.memoryUsage().rss - before.rss
    assert.ok(grown < 400 * 1024 * 1024, `took ${grown} bytes more`)
  })

  it('noise behind a good beginning', () => {
    const [file = Buffer.alloc(0)] = files
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 4000 }),
        fc.integer({ min: 0, max: file.length }),
        (bytes, keep) => {
          outcomeOf(Buffer.concat([file.subarray(0, keep), bytes]), 0)
        },
      ),
      { numRuns: 500, interruptAfterTimeLimit: 700 },
    )
  })

  it('every single number of every header and table, at its bounds', () => {
    const [file = Buffer.alloc(0)] = files
    for (let page = 0; page < file.length / SIZE; page++)
      for (let at = 0; at < 64; at += 4)
        for (const to of [0, 0xffffffff]) {
          const copy = Buffer.from(file)
          copy.writeUInt32LE(to, page * SIZE + at)
          if (page < 2) sealed(copy.subarray(page * SIZE, (page + 1) * SIZE))
          outcomeOf(copy, 0)
        }
  })

  it('a high water mark that lies costs nothing', () => {
    const [file = Buffer.alloc(0)] = files
    const copy = Buffer.from(file)
    for (const id of [0, 1]) {
      copy.writeBigUInt64LE(2n ** 40n, id * SIZE + 56)
      sealed(copy.subarray(id * SIZE, (id + 1) * SIZE))
    }
    const before = process.memoryUsage().arrayBuffers
    assert.match(outcomeOf(copy, 0), /the end was cut off/)
    assert.ok(process.memoryUsage().arrayBuffers - before < 1e6)
  })

  it('and the files themselves are whole', () => {
    for (const [i, file] of files.entries())
      assert.deepEqual(walked(file, { cacheBytes: 0 }).contents, whole[i])
  })
})
