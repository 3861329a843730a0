import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { generationsOf } from '../../src/backup/generations.js'
import { checksumOf, readProvenance } from '../../src/backup/provenance.js'
import { tidyUp } from '../../src/backup/putInPlace.js'
import type { Retention } from '../../src/model/retention.js'
import { smallDatabase } from '../lab/boltFile.js'
import { attempt, snapshotOf, temporary } from './fixtures.js'

const DAY_MS = 86_400_000
const FIRST = Date.parse('2026-11-01T02:30:00Z')

/** A folder in which a backup was written each night at 02:30. */
async function nights(count: number, retention: Partial<Retention> = {}) {
  const { path: folder, ...disposable } = await temporary()
  const path = join(folder, 'etcd-backup.xz')
  let revision = 0
  const backUpAt = async (night: number, given: Partial<Retention> = retention) => {
    const ended = await attempt(path, [snapshotOf(smallDatabase({ bytes: 1, revision: ++revision }))], {
      now: () => FIRST + night * DAY_MS,
      retention: { keep: 1, daily: 0, weekly: 0, ...given },
    })
    assert.equal(ended.kind, 'done', String(ended.kind === 'failed' && ended.error))
    return ended
  }
  for (let night = 0; night < count; night++) await backUpAt(night)
  return { ...disposable, folder, path, backUpAt }
}

const dated = (day: number) => `etcd-backup-202611${String(day).padStart(2, '0')}T023000Z.xz`
const withProvenance = (names: readonly string[]) => names.flatMap(name => [name, `${name}.json`]).sort()

describe('beside an archive', () => {
  it('lies its provenance, for the eyes of its owner', async () => {
    await using here = await nights(1)
    const provenance = await readProvenance(here.path)
    assert.ok(provenance)
    assert.deepEqual(provenance.archive, await checksumOf(here.path))
    assert.equal(provenance.takenAt, '2026-11-01T02:30:00.000Z')
    assert.equal(provenance.revision, 1)
    assert.equal(provenance.member.etcdVersion, '3.5.30')
    assert.equal((await stat(`${here.path}.json`)).mode & 0o777, 0o600)
  })

  it('lie no earlier ones by default', async () => {
    await using here = await nights(3)
    assert.deepEqual((await readdir(here.folder)).sort(), withProvenance(['etcd-backup.xz']))
    assert.equal((await readProvenance(here.path))?.revision, 3)
  })

  it('lie as many earlier ones as are wanted, each with its own provenance', async () => {
    await using here = await nights(5, { keep: 3 })
    const expected = withProvenance(['etcd-backup.xz', dated(4), dated(3)])
    assert.deepEqual((await readdir(here.folder)).sort(), expected)
    const found = await generationsOf(here.path)
    assert.deepEqual(
      found.map(({ provenance }) => provenance?.revision),
      [5, 4, 3],
    )
    for (const { path, provenance } of found)
      assert.deepEqual(provenance?.archive, await checksumOf(path), path)
  })

  it('lie those of days and weeks', async () => {
    await using here = await nights(17, { daily: 2, weekly: 3 })
    // 2026-11-17, a Tuesday, is the newest; the weeks before end on the 15th and on the 8th.
    const expected = withProvenance(['etcd-backup.xz', dated(16), dated(15), dated(8)])
    assert.deepEqual((await readdir(here.folder)).sort(), expected)
  })

  it('go those that are too many once fewer are wanted', async () => {
    await using here = await nights(5, { keep: 5 })
    await here.backUpAt(5, { keep: 2 })
    assert.deepEqual((await readdir(here.folder)).sort(), withProvenance(['etcd-backup.xz', dated(5)]))
  })
})

describe('never removed are', () => {
  it('an archive of somebody else, which gets a dated name and is told of once', async () => {
    await using here = await nights(0)
    await writeFile(here.path, 'what the shell script wrote')
    await utimes(here.path, 0, FIRST / 1000)
    const first = await here.backUpAt(1)
    const kept = join(here.folder, dated(1))
    assert.equal(await readFile(kept, 'utf8'), 'what the shell script wrote')
    assert.equal(first.kind === 'done' && first.warnings.length, 1)
    assert.match(
      first.kind === 'done' ? (first.warnings[0] ?? '') : '',
      /was not written by this tool, so it is kept as/,
    )
    const second = await here.backUpAt(2)
    assert.deepEqual(second.kind === 'done' && second.warnings, [])
    assert.equal(await readFile(kept, 'utf8'), 'what the shell script wrote')
  })

  it('one that has been changed since it was written, and other files with like names', async () => {
    await using here = await nights(2, { keep: 2 })
    const changed = join(here.folder, dated(1))
    const other = join(here.folder, 'etcd-backup-20200101T000000Z.xz')
    const backup = join(here.folder, 'etcd-backup-before-upgrade.xz')
    for (const file of [other, backup]) await writeFile(file, 'by hand')
    const bytes = await readFile(changed)
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)
    await writeFile(changed, bytes)
    const ended = await here.backUpAt(2, { keep: 1 })
    assert.match(
      ended.kind === 'done' ? (ended.warnings[0] ?? '') : '',
      /no longer as it was written, so it is not removed either/,
    )
    const names = await readdir(here.folder)
    for (const file of [changed, other, backup])
      assert.ok(names.includes(file.slice(here.folder.length + 1)), file)
  })

  it('any, when the new one fails', async () => {
    await using here = await nights(3, { keep: 3 })
    const before = (await readdir(here.folder)).sort()
    const cut = snapshotOf(smallDatabase({ bytes: 1, revision: 9 })).subarray(0, -512)
    assert.equal(
      (await attempt(here.path, [cut], { retention: { keep: 1, daily: 0, weekly: 0 } })).kind,
      'failed',
    )
    assert.deepEqual((await readdir(here.folder)).sort(), before)
  })
})

describe('an etcd that has lost its data', () => {
  it('costs no earlier archive, whatever the retention says', async () => {
    await using here = await nights(3)
    const wiped = (night: number) =>
      attempt(here.path, [snapshotOf(smallDatabase({ bytes: 1, revision: 2 }))], {
        now: () => FIRST + night * DAY_MS,
      })
    const first = await wiped(3)
    assert.match(
      first.kind === 'done' ? first.warnings.join() : '',
      /ends at revision 2, the previous one at 3, so etcd has lost data or was restored: the previous backup is kept as/,
    )
    for (const night of [4, 5])
      assert.deepEqual(await wiped(night).then(e => e.kind === 'done' && e.warnings), [])
    assert.deepEqual((await readdir(here.folder)).sort(), withProvenance(['etcd-backup.xz', dated(3)]))
  })
})

describe('an archive from the future', () => {
  it('takes the place of no other one', async () => {
    await using here = await nights(1, { keep: 2 })
    await here.backUpAt(400)
    for (const night of [1, 2, 3]) await here.backUpAt(night)
    assert.deepEqual(
      (await generationsOf(here.path)).map(({ takenAt }) => (takenAt - FIRST) / DAY_MS),
      [3, 2],
    )
  })
})

describe('a run that was killed between two names', () => {
  it('has left nothing that the next one trips over', async () => {
    await using here = await nights(2, { keep: 3 })
    // The previous archive has its second name, and the new one is not in place yet.
    await link(`${here.path}.json`, join(here.folder, `${dated(2)}.json`))
    await here.backUpAt(2)
    assert.deepEqual(
      (await readdir(here.folder)).sort(),
      withProvenance(['etcd-backup.xz', dated(2), dated(1)]),
    )
  })

  it('has its provenance put beside its archive by the next one', async () => {
    await using here = await nights(2)
    const { pid: dead } = spawnSync('true')
    await rename(`${here.path}.json`, join(here.folder, `.etcd-backup.xz.${dead}-0123abcd.provenance`))
    await tidyUp(here.path)
    assert.equal((await readProvenance(here.path))?.revision, 2)
    assert.deepEqual((await readdir(here.folder)).sort(), withProvenance(['etcd-backup.xz']))
  })

  it('may have left an archive with the provenance of the one before, which is kept', async () => {
    await using here = await nights(2, { keep: 2 })
    await rm(here.path)
    await writeFile(here.path, 'whole, and its provenance not written yet')
    const [newest] = await generationsOf(here.path)
    assert.equal(newest?.provenance, undefined)
    assert.match(newest?.problem ?? '', /that of another archive/)
    const ended = await here.backUpAt(5)
    assert.match(ended.kind === 'done' ? (ended.warnings[0] ?? '') : '', /so it is kept as/)
  })
})

describe('a provenance that is not understood', () => {
  for (const [words, change, message] of [
    [
      'is no JSON',
      () => '{\u001b]0;owned\u0007',
      /does not describe a backup as etcd-defrag writes it \(it is no JSON\)/,
    ],
    ['is too long', (text: string) => text + ' '.repeat(1 << 20), /it is \d+ bytes long/],
    ['lacks a field', (text: string) => text.replace('"host"', '"hist"'), /host is missing; expected text/],
    [
      'has a count below zero',
      (text: string) => text.replace(/"revision": \d+/, '"revision": -1'),
      /revision is -1; expected a whole number/,
    ],
    [
      'is of a later format',
      (text: string) => text.replace('"format": 1', '"format": 2'),
      /format is 2, and this version knows 1/,
    ],
    [
      'has a time that is none',
      (text: string) => text.replace('2026-11', 'November'),
      /takenAt is "November-01T\S+; expected a time/,
    ],
  ] as readonly (readonly [string, (text: string) => string, RegExp])[])
    it(words, async () => {
      await using here = await nights(1)
      const file = `${here.path}.json`
      await writeFile(file, change(await readFile(file, 'utf8')))
      await assert.rejects(readProvenance(here.path), message)
      const [generation] = await generationsOf(here.path)
      assert.match(generation?.problem ?? '', message)
    })
})
