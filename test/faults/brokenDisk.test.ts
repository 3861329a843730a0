import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { archive, inspect } from '../lab/archives.js'
import { documentOf, etcdDefrag, type Running } from '../lab/command.js'
import { copyBegins, firstFollowerOn, grown, noDisks } from '../lab/diskOf.js'
import { FaultyDisk } from '../lab/faultyDisk.js'
import { hardToCompress } from '../lab/fill.js'
import type { Trouble } from '../lab/loopDevice.js'
import { Relay } from '../lab/relay.js'
import { Scene, stepsOf } from '../lab/scene.js'

/** In the middle of the snapshot's 28 MB. */
const HALF = 8e6
/** From there on it is compressed, and that takes seconds. */
const WHOLE = 28 * 1024 * 1024

/** A single member, and a good archive on a disk that is about to break. */
class Backups implements AsyncDisposable {
  readonly scene: Scene
  readonly disk: FaultyDisk
  readonly path: string
  readonly #before: Buffer

  private constructor(scene: Scene, disk: FaultyDisk, path: string, before: Buffer) {
    this.scene = scene
    this.disk = disk
    this.path = path
    this.#before = before
  }

  static async on(disk: FaultyDisk): Promise<Backups> {
    const scene = await Scene.set({ size: 1, tls: false, fill: hardToCompress })
    const path = join(disk.device.mountPoint, 'etcd-backup.xz')
    await archive(scene.cluster, path)
    await disk.device.sync()
    return new Backups(scene, disk, path, await readFile(path))
  }

  start(more: readonly string[] = []): Running {
    return this.scene.start(['--force-single', '--backup-path', this.path, ...more])
  }

  /** The run failed as it should, and with the disk mended and mounted again the next one backs up. */
  async areGood(running: Running, broken: Trouble): Promise<void> {
    const report = documentOf(await running.ended)
    assert.deepEqual(
      [report.exitCode, ...stepsOf(report)],
      [73, 'defragment done', 'snapshot failed'],
      report.reason,
    )
    assert.match(report.reason, /the disk under .* answers with errors|is on a read-only file system/)
    await this.scene.judge()
    await broken.end()
    await this.disk.device.remount()
    assert.deepEqual(await readFile(this.path), this.#before)
    const job = this.scene.job(['--force-single', '--backup-path', this.path])
    const next = documentOf(await etcdDefrag(job))
    assert.equal(next.verdict, 'completed', next.reason)
    const { sha256 } = await inspect(this.path, this.scene.cluster.suite)
    assert.equal(sha256, next.steps.at(-1).result.sha256)
    // The archive of before is the lab's own, so that it got a dated name.
    const names = (await readdir(this.disk.device.mountPoint)).sort()
    assert.match(
      names.join(' '),
      /^etcd-backup-\d{8}T\d{6}Z\.xz etcd-backup\.xz etcd-backup\.xz\.json lost\+found$/,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
  }
}

describe("the backup's own disk answers with errors", { timeout: 300_000, skip: noDisks }, () => {
  // Where nothing waits for the disk, errors of writes come with the next sync at the latest.
  for (const mounted of ['as usual', 'sync'])
    test(`when the spool is written, mounted ${mounted}: exit code 73, the previous archive stays`, async () => {
      await using disk = await FaultyDisk.create(300)
      await using backups = await Backups.on(disk)
      await using relay = await Relay.before(backups.scene.leader.clientUrl)
      const held = relay.heldAfter(HALF)
      const running = backups.start(['--endpoints', relay.url])
      const stream = await held
      if (mounted === 'sync') await disk.device.mountedAs('sync')
      await using broken = await disk.fail('reads', 'writes')
      stream.resume()
      await backups.areGood(running, broken)
    })

  test('when the archive is written: exit code 73, the previous archive stays', async () => {
    await using disk = await FaultyDisk.create(300)
    await using backups = await Backups.on(disk)
    const running = backups.start()
    await grown(backups.path, 'spool', WHOLE)
    await using broken = await disk.fail('reads', 'writes')
    await backups.areGood(running, broken)
  })
})

test("a follower's disk that answers with errors in mid-defragmentation: no other is touched, exit code 76", {
  timeout: 300_000,
  skip: noDisks,
}, async () => {
  await using disk = await FaultyDisk.create(400)
  await using scene = await Scene.set({ suite: 'forky' })
  const first = await firstFollowerOn(disk.device, scene)
  const copying = copyBegins(first)
  await using slow = await disk.slow(1_000_000) // so that it is still at it
  const running = scene.start(['--settle-timeout', '3s'])
  await copying
  await using broken = await disk.fail('reads', 'writes')
  const ended = await running.ended
  const report = documentOf(ended)
  assert.deepEqual([report.exitCode, stepsOf(report)[0]], [76, 'defragment failed'], ended.stderr)
  assert.match(report.reason, new RegExp(`member ${first.name}`))

  await scene.witness.kill(first)
  await broken.end()
  await slow.end()
  await disk.device.remount()
  await scene.witness.restart(first)
  assert.equal(
    (await scene.run()).verdict,
    'completed',
    'with the disk mended the next run does the whole job',
  )
  await scene.judge()
})
