import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Damage } from '../../src/backup/bolt/damage.js'
import { type BucketSpec, databaseOf, etcdBuckets, revisionKey, sealed } from '../lab/boltFile.js'
import { walked } from '../lab/walked.js'
import { snapshotOf } from './fixtures.js'

const SIZE = 4096
const entries: BucketSpec['entries'] = Array.from({ length: 400 }, (_, i) => [
  revisionKey(i + 1),
  i === 200 ? Buffer.alloc(10_000, 'large') : `value ${i}`,
])
const buckets = {
  ...etcdBuckets({ entries, perPage: 20 }),
  nested: { entries: [['inner', { entries: [['a', 'b']] }]] },
} satisfies Record<string, BucketSpec>

type Page = Readonly<{ id: number; flags: number; count: number; overflow: number }>

/** All pages of a database in which every one is in use, save those of overflow. */
function pagesOf(file: Buffer): Page[] {
  const pages: Page[] = []
  for (let id = 0; id * SIZE < file.length; id++) {
    const [flags, count] = [file.readUInt16LE(id * SIZE + 8), file.readUInt16LE(id * SIZE + 10)]
    const overflow = file.readUInt32LE(id * SIZE + 12)
    pages.push({ id, flags, count, overflow })
    id += overflow
  }
  return pages
}

const whole = databaseOf({ buckets })
const all = pagesOf(whole)
const leaf = one(page => page.flags === 2 && page.count === 20 && page.overflow === 0)
const other = one(page => page.flags === 2 && page.count === 20 && page.id !== leaf && page.overflow === 0)
const branch = one(page => page.flags === 1)
const long = one(page => page.overflow > 0)
const root = whole.readUInt32LE(32)

function one(is: (page: Page) => boolean, among: readonly Page[] = all): number {
  const found = among.find(is)
  assert.ok(found)
  return found.id
}

/** Where an element of a page's table is. */
const element = (page: number, i: number): number => page * SIZE + 16 + 16 * i

type Harm = (file: Buffer) => unknown
type Case = readonly [what: string, page: number, problem: RegExp, harm: Harm]

const changed =
  (at: number, to: number, change: (file: Buffer) => unknown = () => {}): Harm =>
  file => {
    file.writeUInt32LE(to, at)
    change(file)
  }
const reseal = (file: Buffer) => {
  for (const id of [0, 1]) sealed(file.subarray(id * SIZE, (id + 1) * SIZE))
}
const bothMetas =
  (at: number, to: number): Harm =>
  file => {
    for (const id of [0, 1]) file.writeBigUInt64LE(BigInt(to), id * SIZE + at)
    reseal(file)
  }

const cases: readonly Case[] = [
  ['meta page 0 with a flipped bit', 0, /checksum is wrong; etcd would open .* the other/, changed(68, 1)],
  [
    'meta page 1 with a flipped bit',
    1,
    /checksum is wrong; etcd would open .* the other/,
    changed(SIZE + 68, 1),
  ],
  ['a meta page of zeros', 1, /does not begin as one of bbolt/, file => void file.fill(0, SIZE, 2 * SIZE)],
  ['meta pages of another version', 0, /version 3, expected 2/, changed(20, 3)],
  [
    'meta pages that trade places',
    0,
    /calls itself page 1/,
    file => {
      const first = Buffer.from(file.subarray(0, SIZE))
      file.copyWithin(0, SIZE, 2 * SIZE)
      first.copy(file, SIZE)
    },
  ],
  ['an impossible page size', 0, /pages of 4097 bytes/, changed(24, 4097, reseal)],
  ['a root beyond the end', 0, /refers to page 999999/, bothMetas(32, 999_999)],
  ['a root that is a meta page', 0, /refers to page 1,/, bothMetas(32, 1)],
  ['a high water mark beyond the end', whole.length / SIZE, /the end was cut off/, bothMetas(56, 1e15)],
  ['a high water mark too low', root - 1, /something was appended/, file => bothMetas(56, root - 1)(file)],
  ['a leaf with another number', leaf, /calls itself page 77777/, changed(leaf * SIZE, 77_777)],
  [
    'a page of an unknown type',
    leaf,
    /type 3, expected a branch or a leaf/,
    file => void file.writeUInt16LE(3, leaf * SIZE + 8),
  ],
  ['a page of zeros', leaf, /calls itself page 0/, file => void file.fill(0, leaf * SIZE, (leaf + 1) * SIZE)],
  [
    'a page in the place of another',
    leaf,
    /calls itself page/,
    file => void file.copyWithin(leaf * SIZE, other * SIZE, (other + 1) * SIZE),
  ],
  [
    'too many entries',
    leaf,
    /65535 entries, more than find room/,
    file => void file.writeUInt16LE(65_535, leaf * SIZE + 10),
  ],
  ['a key outside of the page', leaf, /entry 4 of 20 should be at/, changed(element(leaf, 3) + 4, 5000)],
  [
    'a value that reaches out of the page',
    leaf,
    /entry 4 of 20 should be at/,
    changed(element(leaf, 3) + 12, 0xffffffff),
  ],
  [
    'a key over the one before',
    leaf,
    /entry 4 of 20 should be at/,
    file => changed(element(leaf, 3) + 4, file.readUInt32LE(element(leaf, 3) + 4) - 1)(file),
  ],
  ['an empty key', leaf, /entry 4 of 20 has no key/, changed(element(leaf, 3) + 8, 0)],
  ['unknown flags', leaf, /entry 4 of 20 has unknown flags \(2\)/, changed(element(leaf, 3), 2)],
  [
    'keys that do not ascend',
    leaf,
    /do not ascend at entry 4/,
    file => {
      const at = element(leaf, 3)
      file.fill(0, at + file.readUInt32LE(at + 4), at + file.readUInt32LE(at + 4) + 8)
    },
  ],
  [
    'keys that its parent has elsewhere',
    other,
    /not between those that its parent gives/,
    file => {
      for (let i = 0; i < 20; i++) {
        const at = element(other, i)
        file[at + file.readUInt32LE(at + 4)] = 0x7f
      }
    },
  ],
  [
    'a branch without children',
    branch,
    /branch without children/,
    file => void file.writeUInt16LE(0, branch * SIZE + 10),
  ],
  [
    'a branch with a child beyond the end',
    branch,
    /refers to page 3000000000/,
    changed(element(branch, 2) + 8, 3_000_000_000),
  ],
  [
    'a child that two entries have',
    childOf(3),
    /used twice, the second time by page/,
    file => changed(element(branch, 2) + 8, childOf(3))(file),
  ],
  ['a branch that is its own child', branch, /used twice/, changed(element(branch, 2) + 8, branch)],
  ['a leaf that is a bucket', leaf, /a bucket has \d+ bytes of 16/, changed(element(leaf, 3), 1)],
  ['overflow beyond the end', long, /beyond the end of the database/, changed(long * SIZE + 12, 0xfffffffe)],
  ['overflow over another page', long + 3, /used twice/, changed(long * SIZE + 12, 3)],
  ['a child within an overflow', long + 1, /used twice/, changed(element(branch, 1) + 8, long + 1)],
]

function childOf(i: number): number {
  return whole.readUInt32LE(element(branch, i) + 8)
}

function damageOf(file: Buffer, cacheBytes: number, hash = true): Damage {
  try {
    walked(file, { cacheBytes, hash })
  } catch (error) {
    if (error instanceof Damage) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'it was taken for whole' })
}

describe('a damaged database is told by its page:', () => {
  for (const [what, page, problem, harm] of cases)
    it(what, () => {
      const file = Buffer.from(whole)
      harm(file)
      for (const damage of [
        damageOf(snapshotOf(file), 0),
        damageOf(snapshotOf(file), 32_000_000),
        damageOf(snapshotOf(file), 0, false),
      ]) {
        assert.match(damage.message, problem)
        assert.equal(damage.page, page, damage.message)
        assert.match(damage.message, new RegExp(`^page ${page} \\(bytes ${page * SIZE} to \\d+\\): `))
      }
    })

  it('a list of free pages that names one in use, one twice, or one too many', () => {
    const file = databaseOf({ buckets, freePages: 5, freelist: true })
    walked(file)
    const list = file.readUInt32LE(48)
    const harmed = (at: number, to: number) => {
      const copy = Buffer.from(file)
      copy.writeUInt32LE(to, list * SIZE + at)
      return damageOf(copy, 0)
    }
    const used = file.readUInt32LE(32)
    assert.match(harmed(16, used).message, new RegExp(`^page ${used} .*: it is used.* on the list of free`))
    assert.match(harmed(16, file.readUInt32LE(list * SIZE + 24)).message, /lists page \d+ as free twice/)
    assert.match(harmed(16, 1e9).message, new RegExp(`^page ${list} .*: it lists page 1000000000 as free`))
    assert.match(harmed(8, 0x10 + 1000 * 65_536).message, /should list 1000 free pages, more than/)
    assert.match(harmed(8, 2).message, /type 2, expected a list of free pages/)
  })

  it('buckets within a page', () => {
    const file = databaseOf({ buckets: { key: { entries: [['a', 'b']], inline: true } } })
    const bucket = file.indexOf('key', 2 * SIZE) + 3
    const harmed = (at: number, to: number) => {
      const copy = Buffer.from(file)
      copy.writeUInt16LE(to, bucket + at)
      return damageOf(copy, 0).message
    }
    assert.match(harmed(16 + 8, 1), /^page \d+ .*: a bucket within the page is of type 1, expected a leaf/)
    assert.match(harmed(16 + 10, 99), /in a bucket within the page, it should have 99 entries/)
    assert.match(harmed(16 + 16 + 4, 9999), /in a bucket within the page, entry 1 of 1 should be at/)
  })

  it('a key outside of all buckets', () => {
    const copy = Buffer.from(
      databaseOf({ buckets: { a: { entries: [], inline: true }, key: { entries: [], inline: true } } }),
    )
    copy.writeUInt32LE(0, copy.readUInt32LE(32) * SIZE + 16)
    assert.match(damageOf(copy, 0).message, /a key that is in no bucket/)
  })

  it('a tree deeper than bbolt makes one', () => {
    let deep: BucketSpec = { entries: [['a', 'b']] }
    for (let i = 0; i < 70; i++) deep = { entries: [['deeper', deep]] }
    assert.match(
      damageOf(databaseOf({ buckets: { key: deep } }), 0).message,
      /64 other pages|more buckets than/,
    )
  })

  it('a file that is cut off, or goes on, wherever that is', () => {
    const snapshot = snapshotOf(whole)
    for (const cut of [1, 31, 33, 512, SIZE, 5 * SIZE, snapshot.length - 100, snapshot.length - 1])
      assert.match(
        damageOf(snapshot.subarray(0, snapshot.length - cut), 0).message,
        /cut off|appended|room for two/,
      )
    for (const more of [1, 31, 511, 512, SIZE])
      assert.match(damageOf(Buffer.concat([snapshot, Buffer.alloc(more)]), 0).message, /appended/)
  })

  it('a copy of a member may go on behind the high water mark in whole pages', () => {
    const longer = Buffer.concat([whole, Buffer.alloc(7 * SIZE)])
    assert.equal(walked(longer).hash, walked(whole).hash)
  })
})
