import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import crc32c from 'crc-32/crc32c.js'
import fc from 'fast-check'
import { combine } from '../../src/backup/bolt/fingerprint.js'
import { type BucketSpec, databaseOf, etcdBuckets, revisionKey, smallDatabase } from '../lab/boltFile.js'
import { entriesOf, walked } from '../lab/walked.js'
import { noise, pieces, snapshotOf } from './fixtures.js'

const sorted = (entries: BucketSpec['entries']) =>
  [...entries].map(([key, value]) => [Buffer.from(key), value] as const).sort(([a], [b]) => a.compare(b))

/** etcdutl's hash by its own loop: bucket by bucket, key by key. */
function hashOf(buckets: Readonly<Record<string, BucketSpec>>): number {
  let crc = 0
  const write = (bytes: Buffer | string) => {
    crc = crc32c.buf(Buffer.from(bytes), crc)
  }
  for (const [name, bucket] of sorted(Object.entries(buckets))) {
    write(name)
    for (const [key, value] of sorted((bucket as BucketSpec).entries)) {
      write(key)
      if (typeof value === 'string' || Buffer.isBuffer(value)) write(value)
    }
  }
  return crc >>> 0
}

function linesOf(bucket: BucketSpec, path: string): string[] {
  return bucket.entries.flatMap(([key, value]) =>
    typeof value === 'string' || Buffer.isBuffer(value)
      ? [`${path} ${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`]
      : linesOf(value, path === '' ? String(key) : `${path}/${key}`),
  )
}

const revisions = (count: number, value: (i: number) => Buffer | string, first = 1): BucketSpec['entries'] =>
  Array.from({ length: count }, (_, i) => [revisionKey(first + i), value(i)] as const)

describe('a bbolt database', () => {
  for (const pageSize of [512, 4096, 16384, 65536])
    it(`of pages of ${pageSize} bytes is read in pieces of any size`, () => {
      const buckets = etcdBuckets({ entries: revisions(500, i => noise(20 + (i % 90), i)) })
      const file = databaseOf({ buckets, pageSize, freePages: 9 })
      for (const piece of [1, 79, 512, 5000, file.length]) {
        const { contents, hash } = walked(file, { piece: Math.max(piece, Math.ceil(file.length / 5_000)) })
        assert.equal(hash, hashOf(buckets))
        assert.deepEqual([contents.pageSize, contents.totalKeys, contents.revision], [pageSize, 500, 500])
        assert.equal(contents.pages, file.length / pageSize)
        assert.equal(contents.livePages, contents.pages - 9)
      }
    })

  it('takes one pass when it fits into the cache, two when its branches do, more when they do not', () => {
    const buckets = etcdBuckets({ entries: revisions(8_000, i => `value ${i}`) })
    const file = databaseOf({ buckets })
    assert.equal(walked(file).passes, 1)
    assert.equal(walked(file, { readsTwice: true }).passes, 2)
    assert.equal(walked(file, { cacheBytes: 96 * 1024 }).passes, 2)
    assert.equal(walked(file, { cacheBytes: 96 * 1024, hash: false }).passes, 1) // leaves that were in order need no second look
    const { passes } = walked(file, { cacheBytes: 0 })
    assert.ok(passes > 2 && passes < 8, `${passes} passes`)
  })

  it('is the same whatever the order of its pages', () => {
    const buckets = etcdBuckets({ entries: revisions(300, i => `value ${i}`), perPage: 3 })
    const plain = databaseOf({ buckets })
    for (let shuffle = 1; shuffle < 6; shuffle++) {
      const file = databaseOf({ buckets, shuffle, freePages: 20, freelist: shuffle % 2 === 0 })
      for (const cacheBytes of [0, 40_000, 32_000_000]) {
        assert.equal(walked(file, { cacheBytes }).hash, hashOf(buckets))
        assert.deepEqual(entriesOf(file, { cacheBytes }), entriesOf(plain))
      }
    }
  })

  it('may hold values of many pages, empty buckets, and buckets in buckets', () => {
    const deep: BucketSpec = { entries: [['end', 'x']] }
    const nested: BucketSpec = {
      entries: [
        ['a', deep],
        ['b', { ...deep, inline: true }],
        ['c', 'value'],
      ],
    }
    const buckets = {
      ...etcdBuckets({
        entries: [
          [revisionKey(5), noise(3_000_000)],
          [revisionKey(6), ''],
          [revisionKey(7), noise(70_000)],
        ],
      }),
      empty: { entries: [] },
      nested,
    }
    for (const cacheBytes of [0, 32_000_000]) {
      const { contents, hash } = walked(databaseOf({ buckets }), { cacheBytes })
      assert.equal(hash, hashOf(buckets))
      assert.equal(contents.totalKeys, 6) // not what is in nested ones, as etcdutl has it
      const names = contents.buckets.map(({ name, entries }) => `${name} ${entries}`)
      for (const name of ['empty 0', 'key 3', 'nested 3', 'nested/a 1', 'nested/b 1'])
        assert.ok(names.includes(name), name)
    }
  })

  it('may list more than 65,535 free pages', () => {
    const file = databaseOf({
      buckets: etcdBuckets({ entries: [] }),
      pageSize: 512,
      padding: 70_000,
      freelist: true,
    })
    const { contents } = walked(file)
    assert.ok(contents.pages - contents.livePages === 70_000, JSON.stringify(contents))
  })

  it('holds the entries that were put into it, for any', () => {
    const value = fc.uint8Array({ maxLength: 700 }).map(bytes => Buffer.from(bytes))
    const bucket: fc.Arbitrary<BucketSpec> = fc.letrec<{ bucket: BucketSpec }>(tie => ({
      bucket: fc.record({
        entries: fc.uniqueArray(
          fc.tuple(
            fc.string({ minLength: 1, maxLength: 30 }),
            fc.oneof({ maxDepth: 3 }, value, tie('bucket')),
          ),
          { maxLength: 30, selector: ([key]) => key },
        ),
        perPage: fc.integer({ min: 1, max: 9 }),
      }),
    })).bucket
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }), bucket, { maxKeys: 5 }),
        fc.record({
          pageSize: fc.constantFrom(512, 1024, 4096),
          freePages: fc.nat(5),
          freelist: fc.boolean(),
          shuffle: fc.option(fc.nat(), { nil: undefined }),
        }),
        fc.nat(20_000),
        (buckets, { shuffle, ...shape }, cacheBytes) => {
          const file = databaseOf({ buckets, ...shape, ...(shuffle === undefined ? {} : { shuffle }) })
          assert.deepEqual(
            entriesOf(file, { cacheBytes }),
            linesOf({ entries: Object.entries(buckets) }, '').sort(),
          )
          const { hash, contents } = walked(snapshotOf(file))
          assert.equal(hash, hashOf(buckets))
          assert.deepEqual(walked(snapshotOf(file), { cacheBytes, hash: false }).contents, contents)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('of a chosen size and revision can be had for other tests', () => {
    for (const [bytes, revision] of [
      [1, 1],
      [300_000, 7],
      [1 << 20, 12_345],
    ] as const) {
      const file = smallDatabase({ bytes, revision })
      assert.ok(file.length >= bytes && file.length < bytes + 65_536)
      assert.equal(walked(file).contents.revision, revision)
    }
  })
})

it('the CRC-32C of two pieces follows from theirs', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }),
      (bytes, sizes) => {
        const whole = Buffer.from(bytes)
        let sum = { crc: 0, bytes: 0 }
        for (const part of pieces(whole, sizes))
          sum = combine(sum, { crc: crc32c.buf(part) >>> 0, bytes: part.length })
        assert.deepEqual(sum, { crc: crc32c.buf(whole) >>> 0, bytes: whole.length })
      },
    ),
  )
})
