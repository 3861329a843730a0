import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { documentOf } from '../lab/command.js'
import { grown, noDisks } from '../lab/diskOf.js'
import { FaultyDisk } from '../lab/faultyDisk.js'
import { noise } from '../lab/fill.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { Relay } from '../lab/relay.js'
import { Scene, stepsOf } from '../lab/scene.js'

const run = promisify(execFile)
/** In the middle of the snapshot's 24 MB. */
const HALF = 8e6
const none = ['defragment done', 'snapshot failed']

/** A single member with 24 MB that cannot be compressed, whose backups go to that disk. */
async function sceneWith(backups: LoopDevice, dataDir?: string): Promise<Scene> {
  const scene = await Scene.set({
    size: 1,
    tls: false,
    dataDirs: [dataDir],
    fill: cluster => noise(cluster, 24),
    backupFolder: backups.mountPoint,
  })
  await backups.sync() // the previous archive is as durable as a run leaves it
  return scene
}

describe("the backup's own disk is full", { timeout: 120_000, skip: noDisks }, () => {
  test('in the middle of the spooling: exit code 73, the previous archive stays, nothing else does, the trim runs', async () => {
    await using disk = await LoopDevice.create(300)
    await using data = await LoopDevice.create(400)
    const dataDir = join(data.mountPoint, 'etcd')
    await using scene = await sceneWith(disk, dataDir)
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
    assert.match(report.reason, /no space left|reserve/)
    assert.deepEqual(await readFile(scene.backupPath), before)
    assert.deepEqual(await readdir(disk.mountPoint), ['etcd-backup.xz', 'filler', 'lost+found'])

    await full.end()
    assert.equal((await scene.run(job)).verdict, 'completed', 'with room again the next run backs up')
    await scene.judge()
  })

  test('in the middle of the compression: exit code 73, the previous archive stays, nothing else does', async () => {
    await using disk = await LoopDevice.create(300)
    await using scene = await sceneWith(disk)
    const before = await readFile(scene.backupPath)
    const running = scene.start(['--force-single'])
    await grown(scene, 'partial', 1)
    running.kill('SIGSTOP')
    const spool = await grown(scene, 'spool', 24e6)
    await using _full = await disk.fill()
    assert.ok(await stat(spool), 'it is still compressing')
    running.kill('SIGCONT')
    const report = documentOf(await running.ended)
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [73, ...none], report.reason)
    assert.match(report.reason, /no space left|reserve/)
    assert.deepEqual(await readFile(scene.backupPath), before)
    assert.deepEqual(await readdir(disk.mountPoint), ['etcd-backup.xz', 'filler', 'lost+found'])
    await scene.judge()
  })
})

test("the backup's own file system is read-only: exit code 73, and nothing is touched", {
  timeout: 120_000,
  skip: noDisks,
}, async () => {
  await using disk = await LoopDevice.create(100)
  await using scene = await sceneWith(disk)
  await using _locked = await disk.mountedAs('ro')
  const report = await scene.run(['--force-single'])
  assert.deepEqual([report.exitCode, ...stepsOf(report)], [73], report.reason)
  assert.match(report.reason, /read-only file system.*--backup-path/)
  await scene.judge()
})

describe("the backup's own disk answers with errors", { timeout: 120_000, skip: noDisks }, () => {
  // Where nothing waits for the disk, errors of writes come with the next sync at the latest.
  for (const mounted of ['async', 'sync'])
    test(`when the spool is written, mounted ${mounted}: exit code 73, the previous archive stays`, async () => {
      await using disk = await FaultyDisk.create(300)
      await using scene = await sceneWith(disk.device)
      const before = await readFile(scene.backupPath)
      await using relay = await Relay.before(scene.leader.clientUrl)
      const held = relay.heldAfter(HALF)
      const running = scene.start(['--force-single', '--endpoints', relay.url])
      const stream = await held
      if (mounted === 'sync') await disk.device.mountedAs('sync')
      await using broken = await disk.fail('reads', 'writes')
      stream.resume()
      await isMended(scene, disk, documentOf(await running.ended), broken, before)
    })

  test('when the archive is written: exit code 73, the previous archive stays', async () => {
    await using disk = await FaultyDisk.create(300)
    await using scene = await sceneWith(disk.device)
    const before = await readFile(scene.backupPath)
    const running = scene.start(['--force-single'])
    await grown(scene, 'partial', 1)
    await using broken = await disk.fail('reads', 'writes')
    await isMended(scene, disk, documentOf(await running.ended), broken, before)
  })

  test('when the archive is read back: exit code 73, the previous archive stays', async () => {
    await using disk = await FaultyDisk.create(300)
    await using scene = await sceneWith(disk.device)
    const before = await readFile(scene.backupPath)
    const running = scene.start(['--force-single'])
    const partial = await grown(scene, 'partial', 4e6)
    running.kill('SIGSTOP')
    await grown(scene, 'spool', 24e6)
    await run('sync', [partial])
    // Takes its beginning out of the kernel's cache, dd(1).
    await run('dd', [`if=${partial}`, 'iflag=nocache', 'of=/dev/null', 'bs=1M', 'count=1'])
    await using broken = await disk.fail('reads')
    running.kill('SIGCONT')
    const report = documentOf(await running.ended)
    assert.match(report.reason, /does not decode/)
    await isMended(scene, disk, report, broken, before)
  })
})

/** The run failed as it should; with the disk mended the next one backs up. */
async function isMended(
  scene: Scene,
  disk: FaultyDisk,
  report: ReturnType<typeof documentOf>,
  broken: { end(): Promise<void> },
  before: Buffer,
): Promise<void> {
  assert.deepEqual([report.exitCode, ...stepsOf(report)], [73, ...none], report.reason)
  process.stderr.write(`${report.reason}\n`)
  await broken.end()
  await disk.device.remount()
  assert.deepEqual(await readFile(scene.backupPath), before)
  assert.equal((await scene.run(['--force-single'])).verdict, 'completed')
  await scene.judge()
}
