import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pid, ppid } from 'node:process'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readProvenance } from '../../src/backup/provenance.js'
import { TrailerCheck } from '../../src/backup/trailer.js'
import { Failure } from '../../src/model/fault.js'
import type { Phase } from '../../src/model/world.js'
import { databaseOf, etcdBuckets, keyValue, revisionKey, smallDatabase } from '../lab/boltFile.js'
import {
  attempt,
  contents,
  damaged,
  decoded,
  elsewhere,
  execute,
  mountsRefused,
  noise,
  pieces,
  problemOf,
  sha256,
  snapshotOf,
  temporary,
  withPrevious,
} from './fixtures.js'

const KIB = 1024
const streamOf = (blobs: readonly Buffer[]) => ({
  blobs: (async function* () {
    yield* blobs
  })(),
  close: () => {},
})
const at = (revision: number) => ({ origin: { revision, etcdVersion: '3.5.30', storageVersion: null } })

/** The descriptor that this process has of an open file (proc(5)). */
const openOf = (path: string): number =>
  Number(
    readdirSync('/proc/self/fd').find(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path
      } catch {
        return false // the one of the listing itself
      }
    }),
  )

/** More than any disk has room for, so that nothing is spooled. */
const NO_ROOM = { expectedBytes: 2 ** 60 }

describe('a backup', () => {
  for (const given of [{}, NO_ROOM])
    it(`decodes with xz to exactly what the member sent (${given === NO_ROOM ? 'as it comes' : 'spooled'})`, async () => {
      await using old = await withPrevious()
      for (const database of [
        smallDatabase({ repeats: true }),
        smallDatabase({ bytes: 300 * KIB }),
        smallDatabase({ bytes: 2 * KIB * KIB, repeats: true }),
      ]) {
        const sent = snapshotOf(database)
        const ended = await attempt(old.path, pieces(sent, [32 * KIB]), given)
        assert.equal(ended.kind, 'done')
        await execute('xz', ['-t', old.path])
        assert.ok((await decoded(old.path)).equals(sent))
        assert.deepEqual((await readdir(old.folder)).sort(), ['etcd.xz', 'etcd.xz.json'])
      }
    })

  it('tells its sizes, its SHA-256 and how long each part took', async () => {
    await using old = await withPrevious()
    const database = smallDatabase({ bytes: 64 * KIB, revision: 1007 })
    let clock = 0
    const now = () => clock++
    const ended = await attempt(old.path, [snapshotOf(database)], { now })
    assert.equal(ended.kind, 'done')
    assert.deepEqual(ended.warnings, [])
    assert.deepEqual(ended.result, {
      path: old.path,
      snapshotBytes: database.length + 32,
      archiveBytes: (await stat(old.path)).size,
      sha256: sha256(database),
      archiveSha256: sha256(await readFile(old.path)),
      revision: 1007,
      totalKeys: (await readProvenance(old.path))?.totalKeys,
      spooled: true,
      snapshotMs: 1,
      compressMs: 1,
      verifyMs: 1,
    })
  })

  it('tells how far each phase is, to the last byte', async () => {
    await using old = await withPrevious()
    const sent = snapshotOf(smallDatabase({ bytes: 3 * KIB * KIB, repeats: true }))
    const ended = await attempt(old.path, pieces(sent, [32 * KIB]), { expectedBytes: 12345 })
    const { size } = await stat(old.path)
    const last = (wanted: Phase) => ended.told.findLast(({ phase }) => phase === wanted)
    assert.deepEqual(last('snapshot'), { phase: 'snapshot', bytes: sent.length, of: 12345 })
    assert.deepEqual(last('compress'), { phase: 'compress', bytes: sent.length, of: sent.length })
    assert.deepEqual(last('verify'), { phase: 'verify', bytes: size, of: size })
  })

  for (const umask of [0, 0o022, 0o777])
    it(`is for its owner's eyes only under a umask of ${umask.toString(8)}, and so is all on the way`, async () => {
      await using old = await withPrevious()
      const modes = new Set<number>()
      const before = process.umask(umask)
      try {
        const tell = () => {
          for (const name of readdirSync(old.folder).filter(entry => entry.startsWith('.')))
            modes.add(statSync(join(old.folder, name)).mode)
        }
        assert.equal(
          (await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))], { tell })).kind,
          'done',
        )
      } finally {
        process.umask(before)
      }
      assert.equal((await stat(old.path)).mode & 0o777, 0o600)
      assert.deepEqual(
        [...modes].filter(mode => (mode & 0o077) !== 0),
        [],
      )
    })

  it('carries CRC64 and, when it is large, blocks with their sizes, so that xz decodes it on all cores', async () => {
    await using old = await withPrevious()
    const sent = snapshotOf(smallDatabase({ bytes: 14 * KIB * KIB, repeats: true }))
    assert.equal((await attempt(old.path, pieces(sent, [64 * KIB]))).kind, 'done')
    const { stdout } = await execute('xz', ['--robot', '-lvv', old.path])
    const rows = stdout.split('\n').map(line => line.split('\t'))
    const blocks = rows.filter(([kind]) => kind === 'block')
    assert.ok(blocks.length > 1, stdout)
    // xz(1): column 9 is the check, 12 the flags: (c)ompressed and (u)ncompressed size are present.
    for (const block of blocks) assert.deepEqual([block[9], block[12]], ['CRC64', 'cu'])
    await execute('xz', ['-T0', '-t', old.path])
  })
})

describe('a backup that fails leaves the previous one and nothing else:', () => {
  const lost = new Failure({
    kind: 'etcd',
    call: 'Snapshot',
    member: undefined,
    problem: 'the stream broke off',
    mayHaveRun: false,
    timedOut: false,
  })

  it('whatever happens to the stream, in whatever pieces it comes', async () => {
    await using old = await withPrevious()
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const damage = fc.oneof(
      fc.constant({ kind: 'none' } as const),
      fc.record({ kind: fc.constantFrom('breaks', 'ends', 'flips'), share }),
      fc.record({ kind: fc.constant('grows'), by: fc.integer({ min: 1, max: 1100 }) }),
      fc.constantFrom({ kind: 'isEmpty' } as const, { kind: 'hasAnotherTrailer' } as const),
    )
    const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 5 })
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 80 }),
      sizes,
      damage,
      fc.constantFrom({}, {}, {}, NO_ROOM),
      async (sectors, some, what, given) => {
        const before = await contents(old.folder)
        const sent = snapshotOf(smallDatabase({ bytes: sectors * 512, repeats: true }))
        const ended = await attempt(old.path, damaged(sent, [...some, 8 * KIB], what, lost), given)
        if (what.kind === 'none') return assert.ok((await decoded(old.path)).equals(sent))
        assert.deepEqual(await contents(old.folder), before)
        assert.equal(ended.kind, 'failed')
        if (what.kind === 'breaks') assert.equal(ended.error, lost)
        else assert.match(problemOf(ended), /was cut off|SHA-256|page \d+ /)
      },
    )
    await fc.assert(property, { numRuns: 120 })
  })

  for (const [phase, given] of [
    ['snapshot', {}],
    ['snapshot', NO_ROOM],
    ['compress', {}],
    ['verify', {}],
    ['verify', NO_ROOM],
  ] as const)
    it(`an abort in the phase ${phase}, ${given === NO_ROOM ? 'as it comes' : 'spooled'}`, async () => {
      await using old = await withPrevious()
      const abort = new AbortController()
      const tell = (now: Phase) => now === phase && abort.abort(lost)
      const sent = snapshotOf(smallDatabase({ bytes: 1200 * KIB, repeats: true }))
      const ended = await attempt(old.path, pieces(sent, [9000]), { ...given, tell, signal: abort.signal })
      assert.equal(ended.kind === 'failed' && ended.error, lost)
      assert.equal(ended.told.at(-1)?.phase, phase)
      assert.deepEqual(await contents(old.folder), old.before)
    })

  it('an abort before it began', async () => {
    await using old = await withPrevious()
    const ended = await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))], {
      signal: AbortSignal.abort(lost),
    })
    assert.equal(ended.kind === 'failed' && ended.error, lost)
    assert.deepEqual(await contents(old.folder), old.before)
  })

  it('a member that gives no stream', async () => {
    await using old = await withPrevious()
    const ended = await attempt(old.path, [], { open: () => Promise.reject(lost) })
    assert.equal(ended.kind === 'failed' && ended.error, lost)
    assert.deepEqual(await contents(old.folder), old.before)
  })

  it('a SHA-256 with no database before it', async () => {
    await using old = await withPrevious()
    problemOf(await attempt(old.path, [snapshotOf(Buffer.alloc(0))]))
    assert.deepEqual(await contents(old.folder), old.before)
  })

  for (const [words, given] of [
    ['spooled', {}],
    ['as it comes', NO_ROOM],
  ] as const)
    it(`a database that was damaged in the member already, ${words}`, async () => {
      await using old = await withPrevious()
      const database = Buffer.from(smallDatabase({ bytes: 64 * KIB }))
      database.fill(0, 5 * 4096, 6 * 4096)
      const ended = await attempt(old.path, pieces(snapshotOf(database), [32 * KIB]), given)
      assert.match(
        problemOf(ended),
        /page 5 \(bytes 20480 to 24575\): .*so the database of the member was damaged already/,
      )
      assert.deepEqual(await contents(old.folder), old.before)
    })

  it('a snapshot that ends before the revision its member had reported', async () => {
    await using old = await withPrevious()
    const blobs = [snapshotOf(smallDatabase({ revision: 41 }))]
    const ended = await attempt(old.path, blobs, { open: async () => ({ ...streamOf(blobs), ...at(42) }) })
    assert.match(
      problemOf(ended),
      /ends at revision 41, and its member had reported 42 before: it is incomplete/,
    )
    assert.deepEqual(await contents(old.folder), old.before)
  })

  it('an archive that the disk did not keep as it was written', async () => {
    await using old = await withPrevious()
    for (const harm of [
      (archive: string, size: number) => truncateSync(archive, size - 1),
      (archive: string) => writeFileSync(archive, noise(1), { flag: 'r+' }),
    ]) {
      const hurt = () => {
        const archive = readdirSync(old.folder).find(name => name.endsWith('.partial'))
        if (archive !== undefined) {
          const path = join(old.folder, archive)
          if (statSync(path).size > 0) harm(path, statSync(path).size)
        }
        return 0
      }
      // As it comes, it is verified when it is whole, and there is a moment before.
      const given = { ...NO_ROOM, now: hurt }
      const ended = await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))], given)
      assert.match(problemOf(ended), /what was written does not decode to the snapshot received/)
      assert.deepEqual(await contents(old.folder), old.before)
    }
  })

  it('an archive that goes wrong while it is written: what is left of it is not written', async () => {
    await using old = await withPrevious()
    const hurt = () => {
      const names = readdirSync(old.folder)
      const archive = names.find(name => name.endsWith('.partial'))
      const isSpooled = names.some(
        name => name.endsWith('.spool') && statSync(join(old.folder, name)).size > 0,
      )
      // Where the writer stands: what it writes comes after it, and a reader finds it before.
      if (archive !== undefined && isSpooled) writeSync(openOf(join(old.folder, archive)), noise(KIB))
      return 0
    }
    const sent = snapshotOf(smallDatabase({ bytes: 24 * KIB * KIB }))
    const ended = await attempt(old.path, pieces(sent, [64 * KIB]), { now: hurt })
    assert.match(problemOf(ended), /what was written does not decode to the snapshot received/)
    const compressed = ended.told.findLast(({ phase }) => phase === 'compress')?.bytes ?? 0
    assert.ok(compressed < sent.length, `${compressed} of ${sent.length} bytes were compressed nevertheless`)
    assert.deepEqual(await contents(old.folder), old.before)
  })

  it('a place where no file can be put, before anything is asked of the member', async () => {
    await using old = await withPrevious()
    await mkdir(join(old.folder, 'folder'))
    await execute('mkfifo', [join(old.folder, 'fifo')])
    const before = await contents(old.folder)
    for (const [name, words] of [
      ['missing/etcd.xz', /missing cannot be used \(ENOENT\); create it or set --backup-path$/],
      ['etcd.xz/etcd.xz', /etcd\.xz is not a folder; set --backup-path$/],
      ['folder', /there is a folder at that path/],
      ['fifo', /something else than a file at that path/],
    ] as const) {
      const ended = await attempt(join(old.folder, name), [snapshotOf(smallDatabase({ repeats: true }))])
      assert.match(problemOf(ended), words)
      assert.equal(ended.opened, 0)
      assert.deepEqual(await contents(old.folder), before)
    }
  })

  const skip = mountsRefused()
  it('a read-only file system', { skip }, async () => {
    await using tmp = await temporary()
    await using mount = await elsewhere(
      'mount -t tmpfs -o mode=700 none "$1"; echo old >"$1/etcd.xz"; mount -o remount,ro "$1"',
      tmp.path,
    )
    const folder = mount.see(tmp.path)
    const before = await contents(folder)
    const ended = await attempt(join(folder, 'etcd.xz'), [snapshotOf(smallDatabase({ repeats: true }))])
    assert.match(
      problemOf(ended),
      /is on a read-only file system; set --backup-path, or open it where .* ReadWritePaths=/,
    )
    assert.deepEqual(await contents(folder), before)
  })

  for (const [when, phase, given] of [
    ['while it is received', 'snapshot', {}],
    ['while it is compressed', 'compress', {}],
    ['while it is compressed as it comes', 'snapshot', NO_ROOM],
  ] as const)
    it(`a disk that is full ${when}`, { skip }, async () => {
      await using tmp = await temporary()
      await using mount = await elsewhere(
        'mount -t tmpfs -o size=20m,mode=700 none "$1"; echo old >"$1/etcd.xz"',
        tmp.path,
      )
      const folder = mount.see(tmp.path)
      const filler = join(folder, 'filler')
      const before = await contents(folder)
      const tell = (now: Phase) => {
        if (now !== phase || readdirSync(folder).includes('filler')) return
        assert.throws(() => writeFileSync(filler, Buffer.alloc(20 * KIB * KIB)), { code: 'ENOSPC' })
      }
      const sent = snapshotOf(smallDatabase({ bytes: 256 * KIB }))
      const ended = await attempt(join(folder, 'etcd.xz'), pieces(sent, [32 * KIB]), { ...given, tell })
      assert.match(
        problemOf(ended),
        /(?:no|hardly any) space left in .*; make room there or set --backup-path$/,
      )
      await rm(filler)
      assert.deepEqual(await contents(folder), before)
    })
})

describe('a backup', () => {
  it('may end before the last revision where that was a deletion, and compacted', async () => {
    await using old = await withPrevious()
    const compacted = Buffer.alloc(17)
    compacted.writeBigUInt64BE(42n)
    const buckets = {
      ...etcdBuckets({ entries: [[revisionKey(41), keyValue('/a', 'b', 41)]] }),
      meta: { entries: [['finishedCompactRev', compacted]] } as const,
    }
    const blobs = [snapshotOf(databaseOf({ buckets }))]
    const open = (revision: number) => async () => ({ ...streamOf(blobs), ...at(revision) })
    assert.match(problemOf(await attempt(old.path, blobs, { open: open(43) })), /ends at revision 42/)
    const ended = await attempt(old.path, blobs, { open: open(42) })
    assert.equal(ended.kind === 'done' && ended.result.revision, 42)
  })

  it('is compressed as it comes where there is no room to spool it, and says so', async () => {
    await using old = await withPrevious()
    const sent = snapshotOf(smallDatabase({ repeats: true }))
    const ended = await attempt(old.path, pieces(sent, [1000]), NO_ROOM)
    assert.equal(ended.kind, 'done')
    assert.equal(ended.result.spooled, false)
    assert.match(
      ended.warnings.join(),
      /^backup to .*: no room to spool the snapshot there \(\d+ bytes are free/,
    )
    assert.deepEqual([...new Set(ended.told.map(({ phase }) => phase))], ['snapshot', 'verify'])
  })

  it('removes what dead runs left, and neither what belongs to a live one nor what is not ours', async () => {
    await using old = await withPrevious()
    const { pid: dead } = spawnSync('true')
    const ours = [`.etcd.xz.${dead}.spool`, `.etcd.xz.${dead}.partial`, `.etcd.xz.${dead}.provenance`]
    const foreign = [
      ...[`.etcd.xz.${ppid}.spool`, `.etcd.xz.${ppid}.partial`, `.etcd.xz.${dead}.spool.bak`],
      ...[`.etcd-xz.${dead}.spool`, `etcd.xz.${dead}.spool`, `.etcd.xz.${dead}.tmp`, '.etcd.xz.me.spool'],
    ]
    for (const name of [...ours, ...foreign]) await writeFile(join(old.folder, name), 'leftover')
    assert.equal((await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))])).kind, 'done')
    assert.deepEqual((await readdir(old.folder)).sort(), ['etcd.xz', 'etcd.xz.json', ...foreign].sort())
  })

  it('removes what a dead run of the same process id left, though it does not spool itself', async () => {
    await using old = await withPrevious()
    await writeFile(join(old.folder, `.etcd.xz.${pid}.spool`), 'in a container, every run may be process 7')
    assert.equal(
      (await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))], NO_ROOM)).kind,
      'done',
    )
    assert.deepEqual((await readdir(old.folder)).sort(), ['etcd.xz', 'etcd.xz.json'])
  })

  it('neither follows a symbolic link nor takes its place', async () => {
    await using old = await withPrevious()
    const link = join(old.folder, 'link.xz')
    await symlink(old.path, link)
    const before = await contents(old.folder)
    const ended = await attempt(link, [snapshotOf(smallDatabase({ repeats: true }))])
    assert.match(
      problemOf(ended),
      /link\.xz: there is a symbolic link at that path \(to .*etcd\.xz\); set --backup-path/,
    )
    assert.equal(ended.opened, 0)
    assert.deepEqual(await contents(old.folder), before)
  })

  it('does not follow a link that somebody put where its own files go', async () => {
    await using old = await withPrevious()
    const target = join(old.folder, 'target')
    await writeFile(target, 'not ours')
    for (const kind of ['spool', 'partial', 'provenance'])
      await symlink(target, join(old.folder, `.etcd.xz.${pid}.${kind}`))
    assert.equal((await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))])).kind, 'done')
    assert.ok((await lstat(old.path)).isFile())
    assert.equal(String(await readFile(target)), 'not ours')
  })

  it('goes to no folder that anybody may write to', async () => {
    await using old = await withPrevious()
    for (const [mode, mend] of [
      [0o777, /; chmod o-w it or set --backup-path$/],
      [0o1777, /; set --backup-path to a folder of root's own$/],
    ] as const) {
      await chmod(old.folder, mode)
      const ended = await attempt(old.path, [snapshotOf(smallDatabase({ repeats: true }))])
      assert.match(problemOf(ended), /anybody may write to its folder .* \(mode 1?777\)/)
      assert.match(problemOf(ended), mend)
      assert.deepEqual(await contents(old.folder), old.before)
    }
  })
})

describe('the check of a snapshot', () => {
  it('comes to the same answer in whatever pieces the snapshot arrives', () => {
    const answer = (bytes: Buffer, sizes: readonly number[]) => {
      const check = new TrailerCheck()
      for (const piece of pieces(bytes, sizes)) check.update(piece)
      return check.passed()
    }
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 })
    const property = fc.property(fc.nat(4), fc.nat(40), sizes, (sectors, missing, some) => {
      const whole = snapshotOf(noise(sectors * 512))
      const bytes = whole.subarray(0, Math.max(0, whole.length - (missing < 20 ? 0 : missing)))
      assert.deepEqual(answer(bytes, some), answer(bytes, [bytes.length || 1]))
    })
    fc.assert(property, { numRuns: 300 })
  })
})
