import assert from 'node:assert/strict'
import { mkdir, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkDisks } from '../../src/act/disks.js'
import type { Policy } from '../../src/model/policy.js'
import { temporary } from './fixtures.js'
import { cluster, policy } from './views.js'

/** A node with etcd's data and a folder for backups on the disk that temporary folders are on. */
async function node(changes: Partial<Policy> = {}) {
  const { path, ...disposable } = await temporary()
  const dataDir = join(path, 'etcd')
  await mkdir(join(dataDir, 'member', 'snap'), { recursive: true })
  const { bavail, bsize } = await statfs(path)
  const wanted = policy({ dataDir, backupPath: join(path, 'etcd-backup.xz'), ...changes })
  const check = (dbSizeInUse: number, more: Partial<Policy> = {}) =>
    checkDisks(cluster({ m1: { dbSizeInUse, dbSize: dbSizeInUse } }), { ...wanted, ...more })
  return { ...disposable, path, dataDir, free: bavail * bsize, check }
}

describe('the disks of a node', () => {
  it('that have room for copy, spool and archive are nothing to speak of', async () => {
    await using here = await node()
    assert.deepEqual(await here.check(1024 * 1024), [])
  })

  it('without room for the copy of a defragmentation refuse the run, and the flag that overrides is named', async () => {
    await using here = await node()
    await assert.rejects(
      here.check(here.free, { backupPath: undefined }),
      /bytes free, and a defragmentation .* copies .* override with --force-disk$/,
    )
    assert.deepEqual(await here.check(here.free, { backupPath: undefined, forceDisk: true }), [])
  })

  it('without room for the spool are spoken of, without room for the archive refuse', async () => {
    await using here = await node({ dataDir: '/nonexistent' })
    const [tight] = await here.check(Math.round(here.free * 0.9))
    assert.match(tight ?? '', /has no room to spool the snapshot: it will be compressed as it comes/)
    await assert.rejects(
      here.check(here.free * 9),
      /an archive of \d+ bytes in use may take \d+; make room, set --backup-path, or override with --force-disk$/,
    )
    assert.equal((await here.check(here.free * 9, { forceDisk: true })).length, 1)
  })

  it('with the copy of an interrupted defragmentation name it and its size', async () => {
    await using here = await node()
    const stale = join(here.dataDir, 'member', 'snap', 'db.tmp.123')
    await writeFile(stale, 'x'.repeat(77))
    assert.deepEqual(await here.check(1), [
      `${stale} (77 bytes) is left of an interrupted defragmentation; etcd removes it when it starts again`,
    ])
  })

  it('where no etcd has its data are not judged, and that is said', async () => {
    await using here = await node({ dataDir: '/nonexistent', backupPath: undefined })
    assert.deepEqual(await here.check(1), [
      'there is no etcd data in /nonexistent, so its disk is not checked; name the folder with --data-dir',
    ])
  })
})
