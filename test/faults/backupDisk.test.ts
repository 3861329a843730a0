import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { documentOf } from '../lab/command.js'
import { grown, noDisks } from '../lab/diskOf.js'
import { hardToCompress } from '../lab/fill.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { Relay } from '../lab/relay.js'
import { Scene, type SceneOptions, stepsOf } from '../lab/scene.js'

/** In the middle of the snapshot's 28 MB. */
const HALF = 8e6
/** From there on it is compressed, and that takes seconds. */
const WHOLE = 28 * 1024 * 1024
const none = ['defragment done', 'snapshot failed']
const single: SceneOptions = { size: 1, tls: false, fill: hardToCompress }

describe("the backup's own disk is full", { timeout: 300_000, skip: noDisks }, () => {
  test('in the middle of the spooling: exit code 73, the previous archive stays, nothing else does, the trim runs', async () => {
    await using disk = await LoopDevice.create(300)
    await using data = await LoopDevice.create(400)
    const dataDir = join(data.mountPoint, 'etcd')
    await using scene = await Scene.set({ ...single, dataDirs: [dataDir], backupFolder: disk.mountPoint })
    const before = await readFile(scene.backupPath)
    await using relay = await Relay.before(scene.leader.clientUrl)
    const held = relay.heldAfter(HALF)
    const job = ['--force-single', '--endpoints', relay.url, '--data-dir', dataDir]
    const running = scene.start(job)
    const stream = await held
    await using full = await disk.fill()
    stream.resume()
    const report = documentOf(await running.ended)
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [73, ...none, 'trim done'], report.reason)
    assert.match(report.reason, /(no|hardly any) space left in/)
    assert.deepEqual(await readFile(scene.backupPath), before)
    assert.deepEqual(await readdir(disk.mountPoint), ['etcd-backup.xz', 'filler', 'lost+found'])

    await full.end()
    assert.equal((await scene.run(job)).verdict, 'completed', 'with room again the next run backs up')
    await scene.judge()
  })

  test('in the middle of the compression: exit code 73, the previous archive stays, nothing else does', async () => {
    await using disk = await LoopDevice.create(300)
    await using scene = await Scene.set({ ...single, backupFolder: disk.mountPoint })
    const before = await readFile(scene.backupPath)
    const running = scene.start(['--force-single'])
    await grown(scene.backupPath, 'spool', WHOLE)
    await using _full = await disk.fill()
    const report = documentOf(await running.ended)
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [73, ...none], report.reason)
    assert.match(report.reason, /(no|hardly any) space left in/)
    assert.deepEqual(await readFile(scene.backupPath), before)
    assert.deepEqual(await readdir(disk.mountPoint), ['etcd-backup.xz', 'filler', 'lost+found'])
    await scene.judge()
  })
})

test("the backup's own file system is read-only: exit code 73, and the previous archive stays", {
  timeout: 300_000,
  skip: noDisks,
}, async () => {
  await using disk = await LoopDevice.create(100)
  await using scene = await Scene.set({ ...single, backupFolder: disk.mountPoint })
  await using _locked = await disk.mountedAs('ro')
  const report = await scene.run(['--force-single'])
  assert.equal(report.exitCode, 73, report.reason)
  assert.match(report.reason, /read-only file system.*--backup-path/)
  assert.deepEqual(report.steps, [])
  await scene.judge()
})
