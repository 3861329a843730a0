import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { verify } from '../../src/backup/verify.js'
import type { Verified } from '../../src/model/backup.js'
import { Failure } from '../../src/model/fault.js'
import {
  type BucketSpec,
  databaseOf,
  etcdBuckets,
  keyValue,
  revisionKey,
  smallDatabase,
} from '../lab/boltFile.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { mulberry32 } from '../lab/random.js'
import { execute, noise, sha256, snapshotOf, temporary } from '../unit/fixtures.js'

const PAGE = 4096
const COUNT = 1000
const SEED = Number(process.env['ARCHIVES_SEED'] ?? 20_251)

const key: BucketSpec = {
  entries: Array.from({ length: 1500 }, (_, i) => [
    revisionKey(i + 1),
    keyValue(
      `/registry/pods/default/pod-${i}`,
      i === 700 ? noise(50_000) : `text that repeats ${i % 7} `.repeat(8),
      i + 1,
    ),
  ]),
}
const database = databaseOf({ buckets: etcdBuckets(key), freePages: 20 })
const snapshot = snapshotOf(database)

const watch = { signal: new AbortController().signal }

/** What verify says of the file: its result, or the words of its fault. */
async function said(path: string): Promise<Verified | string> {
  try {
    return await verify(path, watch)
  } catch (error) {
    assert.ok(error instanceof Failure && error.fault.kind === 'archive', String(error))
    return error.fault.problem
  }
}

type Random = () => number

/** The kinds of damage; each gives a file that differs from the good one. */
const damages: Readonly<Record<string, (file: Buffer, random: Random) => Buffer>> = {
  'bit flips': (file, random) => {
    const copy = Buffer.from(file)
    const count = 1 + below(random, 4)
    for (let i = 0; i < count; i++) {
      const at = below(random, copy.length)
      copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8))
    }
    return copy
  },
  truncation: (file, random) => file.subarray(0, below(random, file.length)),
  'truncation by a little': (file, random) => file.subarray(0, file.length - 1 - below(random, 64)),
  'appended bytes': (file, random) =>
    Buffer.concat([file, noise(1 + below(random, 9000), below(random, 1e6))]),
  'appended zeros': (file, random) => Buffer.concat([file, Buffer.alloc(1 + below(random, 3 * PAGE))]),
  'swapped blocks': (file, random) => {
    const size = [512, PAGE, 8 * PAGE][below(random, 3)] ?? PAGE
    const blocks = Math.floor(file.length / size)
    const [a, b] = [below(random, blocks) * size, below(random, blocks) * size]
    const copy = Buffer.from(file)
    file.copy(copy, a, b, b + size)
    file.copy(copy, b, a, a + size)
    return copy
  },
  'zeroed pages': (file, random) => {
    const copy = Buffer.from(file)
    const from = below(random, Math.ceil(file.length / PAGE)) * PAGE
    copy.subarray(from, from + PAGE * (1 + below(random, 3))).fill(0)
    return copy
  },
  'the beginning of it twice': (file, random) =>
    Buffer.concat([file.subarray(0, 1 + below(random, file.length)), file]),
}

const below = (random: Random, bound: number): number => Math.floor(random() * bound)

async function xz(folder: string, content: Buffer, ...args: readonly string[]): Promise<Buffer> {
  const file = join(folder, `packed-${args.join('')}`)
  await writeFile(file, content)
  await execute('xz', ['-kf', '-S', '.xz', ...args, file])
  return readFile(`${file}.xz`)
}

describe('an archive', () => {
  let folder: Awaited<ReturnType<typeof temporary>>
  let good: Readonly<Record<'db' | 'xz' | 'xz of blocks', Buffer>>
  let path: string
  before(async () => {
    folder = await temporary()
    path = join(folder.path, 'archive')
    good = {
      db: snapshot,
      xz: await xz(folder.path, snapshot, '-0'),
      'xz of blocks': await xz(folder.path, snapshot, '-0', '-T2', '--block-size=65536'),
    }
  })
  after(() => folder[Symbol.asyncDispose]())

  it('is good in every form', async () => {
    for (const file of Object.values(good)) {
      await writeFile(path, file)
      const verified = await said(path)
      assert.ok(typeof verified !== 'string', String(verified))
      assert.equal(verified.contents.revision, 1500)
      assert.equal(verified.archive.bytes, file.length)
      assert.equal(verified.hasTrailer, true)
    }
  })

  it(`that was damaged is told from a good one, ${COUNT} of them (seed ${SEED})`, async () => {
    const random = mulberry32(SEED)
    const kinds = Object.keys(damages)
    let located = 0
    for (let i = 0; i < COUNT; i++) {
      const { how, bytes } = await damaged(random, kinds[i % kinds.length] ?? '')
      if (bytes === undefined) continue
      await writeFile(path, bytes)
      const found = await said(path)
      const what = `${i}: ${how}, seed ${SEED}`
      // A snapshot that lost just its trailer is what a member's own file may be, and is said to have none.
      if (typeof found !== 'string') {
        assert.equal(found.hasTrailer, false, `${what}: taken for good`)
        assert.equal(found.content.sha256, sha256(database), what)
      } else {
        if (found.startsWith('page ')) located += 1
        assert.match(
          found,
          /page \d+ \(bytes \d+ to \d+\)|near byte \d+|at its end \(byte|SHA-256|is neither|is empty|something was appended|begins with zeros/,
          what,
        )
      }
    }
    assert.ok(located > COUNT / 5, `named by their page: ${located}`)
  })

  /** In the container, or in what is in it with a good container around; undefined where it is no damage after all. */
  async function damaged(random: Random, kind: string): Promise<{ how: string; bytes: Buffer | undefined }> {
    const damage = damages[kind]
    assert.ok(damage)
    const form = (['db', 'xz', 'xz of blocks', 'within'] as const)[below(random, 4)] ?? 'db'
    const file = form === 'within' ? snapshot : good[form]
    const bytes = damage(file, random)
    const how = `${kind} in ${form}`
    // xz(1): zeros in fours behind a stream are padding and no damage.
    const isPadding =
      form.startsWith('xz') && kind === 'appended zeros' && (bytes.length - file.length) % 4 === 0
    if (bytes.equals(file) || isPadding) return { how, bytes: undefined }
    return { how, bytes: form === 'within' ? await xz(folder.path, bytes, '-0') : bytes }
  }

  it('of zeros in fours behind the xz stream is none the worse, nor one of two streams', async () => {
    await writeFile(path, Buffer.concat([good.xz, Buffer.alloc(8)]))
    assert.ok(typeof (await said(path)) !== 'string')
    const parts = [
      await xz(folder.path, snapshot.subarray(0, 100_000), '-0'),
      await xz(folder.path, snapshot.subarray(100_000), '-1'),
    ]
    await writeFile(path, Buffer.concat(parts))
    assert.ok(typeof (await said(path)) !== 'string')
  })

  for (const [what, of, problem] of [
    ['xz of noise', () => packed(noise(100_000)), /page 0 .*does not begin as one of bbolt/],
    ['xz of nothing', () => packed(Buffer.alloc(0)), /page 0 .*no room for two meta pages/],
    ['a wrong trailer', () => wrongTrailer(), /the last 32 bytes say|snapshot's last 32 bytes say/],
    ['a wrong trailer in xz', () => packed(wrongTrailer()), /snapshot's last 32 bytes say/],
    [
      'a changed value',
      () => changedValue(),
      /every page in use is in order, so the damage is within values/,
    ],
    [
      'a database that was damaged before',
      () => snapshotOf(swappedPages()),
      /^page \d+ .*its SHA-256 matches, so the database of the member was damaged already/,
    ],
    [
      'a database of another program',
      () => snapshotOf(databaseOf({ buckets: { 'v1 things': { entries: [] } } })),
      /none of etcd: there is no bucket "key" in it \(it has v1 things\)/,
    ],
    ['gzip', () => Buffer.from('1f8b0800000000000003', 'hex'), /is gzip, .*unpack it with gunzip/],
    ['zstd', () => Buffer.from('28b52ffd04000000', 'hex'), /is zstd, .*unpack it with zstd -d/],
    ['zip', () => Buffer.from('504b030414000000', 'hex'), /is zip, .*unpack it with unzip/],
    ['text', () => Buffer.from('hello, this is no archive at all'), /is neither \.xz nor a database of etcd/],
    ['nothing', () => Buffer.alloc(0), /is empty/],
  ] as const)
    it(`of ${what} is refused in words of its own`, async () => {
      await writeFile(path, await of())
      assert.match(String(await said(path)), problem)
    })

  const packed = (content: Buffer) => xz(folder.path, content, '-1')
  const wrongTrailer = () => Buffer.concat([database, noise(32)])

  function changedValue(): Buffer {
    const copy = Buffer.from(snapshot)
    copy[copy.indexOf('text that repeats 3')] = 0x54
    return copy
  }

  function swappedPages(): Buffer {
    const copy = Buffer.from(database)
    const leaf = Math.floor(copy.indexOf('/registry/pods/default/pod-100') / PAGE)
    database.copy(copy, leaf * PAGE, (leaf + 1) * PAGE, (leaf + 2) * PAGE)
    return copy
  }

  it('whose header asks for gigabytes of memory is refused', async () => {
    await writeFile(path, await xz(folder.path, snapshot, '--lzma2=dict=1GiB,mode=fast,mf=hc3,nice=4'))
    assert.match(String(await said(path)), /takes more than 256 MiB of memory to decode/)
  })

  it('that is no file is refused at once', async () => {
    assert.match(String(await said(join(folder.path, 'missing'))), /there is no such file/)
    assert.match(String(await said(folder.path)), /is a folder/)
    await execute('mkfifo', [join(folder.path, 'pipe')])
    assert.match(String(await said(join(folder.path, 'pipe'))), /is not a file/)
    await symlink('circle', join(folder.path, 'circle'))
    assert.match(String(await said(join(folder.path, 'circle'))), /lead in a circle/)
  })

  it('may be a copy of a file of a member, which has no trailer', async () => {
    const raw = databaseOf({ buckets: etcdBuckets(key), isMember: true })
    await writeFile(path, Buffer.concat([raw, Buffer.alloc(5 * PAGE)]))
    const verified = await said(path)
    assert.ok(typeof verified !== 'string', String(verified))
    assert.equal(verified.hasTrailer, false)
    await writeFile(path, Buffer.concat([snapshot, Buffer.alloc(2 * PAGE - 32)]))
    assert.match(String(await said(path)), /something was appended/)
  })

  it('takes hardly more memory to verify when it is 120 MB larger', async () => {
    const program = `
      import { verify } from ${JSON.stringify(join(import.meta.dirname, '../../src/backup/verify.js'))}
      await verify(${JSON.stringify(path)}, { signal: new AbortController().signal })
      const { readFileSync } = await import('node:fs')
      console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])`
    const peaks: number[] = [] // not maxRSS of getrusage(2), which is that of the process that started it
    for (const bytes of [20, 140].map(mb => mb * 1024 * 1024)) {
      await writeFile(path, snapshotOf(smallDatabase({ bytes, revision: 1e6 })))
      const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', program])
      peaks.push(Number(stdout) / 1024)
    }
    const [small = 0, large = 0] = peaks
    assert.ok(large - small < 40, `${small} MiB, then ${large} MiB`)
  })

  it('that a signal ends is no verdict', async () => {
    await writeFile(path, good.xz)
    const stop = new AbortController()
    stop.abort('SIGTERM')
    await assert.rejects(verify(path, { signal: stop.signal }), error => error === 'SIGTERM')
  })

  describe('on the command line', () => {
    it('is whole: 0, with its sizes and sums', async () => {
      await writeFile(path, good.xz)
      const ended = await etcdDefrag(['backup', 'verify', path])
      assert.equal(ended.code, 0, ended.stderr)
      assert.match(
        ended.stdout,
        /^whole +\/.*\nchecked +the xz container, etcd's SHA-256 and the \d+ pages in use of \d+\n/,
      )
      assert.match(ended.stdout, /revision 1500/)
      const document = documentOf(
        await etcdDefrag(['backup', 'verify', '--backup-path', path, '--output', 'json']),
      )
      const { format, verdict, exitCode, kind, hasTrailer, contents } = document
      assert.deepEqual(
        { format, verdict, exitCode, kind, hasTrailer },
        { format: 1, verdict: 'completed', exitCode: 0, kind: 'xz', hasTrailer: true },
      )
      assert.equal(contents.totalKeys, 1500)
    })

    it('is damaged: 65, with the place', async () => {
      await writeFile(path, snapshotOf(swappedPages()))
      const ended = await etcdDefrag(['backup', 'verify', path, '--output', 'json'])
      assert.equal(ended.code, 65)
      assert.match(ended.stderr, /page \d+ \(bytes/)
      const { verdict, exitCode, fault } = documentOf(ended)
      assert.deepEqual([verdict, exitCode, fault.kind, fault.path], ['failed', 65, 'archive', path])
      assert.equal((await etcdDefrag(['backup', 'show', path])).code, 65)
      assert.equal((await etcdDefrag(['backup', 'verify', join(folder.path, 'missing')])).code, 65)
    })

    it('shows what is in it, and nothing that a terminal would obey', async () => {
      const evil = '/registry/secrets/\u001b[31mred\u0007\u202e/x'
      const entries = [
        [revisionKey(2), keyValue(evil, 'top secret', 2)],
        ...key.entries.slice(5, 30),
      ] as const
      await writeFile(path, snapshotOf(databaseOf({ buckets: etcdBuckets({ entries }) })))
      const { stdout, code } = await etcdDefrag(['backup', 'show', path])
      assert.equal(code, 0)
      assert.match(stdout, /\/registry\/pods +25 +/)
      assert.match(stdout, /\/registry\/secrets +1 +/)
      assert.doesNotMatch(stdout, /[^\P{C}\n]|top secret|text that repeats/u)
    })

    it("without etcd's SHA-256: 65 unless that is known, and it can be looked into", async () => {
      const bare = join(folder.path, 'bare.db')
      await writeFile(bare, database)
      const ended = await etcdDefrag(['backup', 'verify', bare])
      assert.equal(ended.code, 65)
      assert.match(ended.stderr, /ends without etcd's SHA-256.*--force-no-hash/)
      assert.equal((await etcdDefrag(['backup', 'verify', bare, '--force-no-hash'])).code, 0)
      assert.equal((await etcdDefrag(['backup', 'show', bare])).code, 0)
    })

    it('may be named relative to the folder', async () => {
      await copyFile(path, join(folder.path, 'copy.db'))
      const nested = join(folder.path, 'nested')
      await mkdir(nested)
      const { code } = await etcdDefrag(['backup', 'verify', '../copy.db'], {
        through: ['env', '-C', nested],
      })
      assert.equal(code, 0)
    })
  })
})
