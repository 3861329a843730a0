import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../lab/cluster.js'
import { documentOf } from '../lab/command.js'
import { copyBegins, firstFollowerOn, noDisks } from '../lab/diskOf.js'
import { FaultyDisk } from '../lab/faultyDisk.js'
import { clientOf } from '../lab/fill.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { begins, Scene, stepsOf } from '../lab/scene.js'

/** So that a defragmentation that copies 2 MB is still at it when the disk hangs. */
const SLOW = 1_000_000

describe("a follower's disk that hangs", { timeout: 300_000, skip: noDisks }, () => {
  test('before the run: nothing is touched, the member is named, exit code 69; thawed, the next run does it all', async () => {
    await using disk = await LoopDevice.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk, scene)
    await using hung = await disk.freeze()
    // etcd notices when it has to write: it keeps every entry before it says that it has it.
    const client = await clientOf(scene.cluster, [scene.leader])
    await client.put('/written/while/hung').value('1')
    client.close()
    const report = await scene.run()
    assert.deepEqual([report.exitCode, report.fault.check, report.steps], [69, 'allHealthy', []])
    assert.match(report.reason, new RegExp(`member ${first.name} fails a linearizable read`))

    await hung.end()
    await until(`${first.name} serves`, async () => (await scene.run()).verdict === 'completed')
    await scene.judge()
  })

  test('before the run, unnoticed for want of writes: its defragmentation is waited for, then the run goes on', async () => {
    await using disk = await LoopDevice.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk, scene)
    await using hung = await disk.freeze()
    // The lock in etcd would be a write, and show the disk for what it is.
    const running = scene.start(['--no-coordination'])
    await running.said(begins('defragment'))
    assert.equal(scene.at(running), first)
    await until(
      'it hangs',
      async () => (await scene.cluster.metric(first, 'etcd_disk_defrag_inflight')) === 1,
    )
    await hung.end()
    assert.equal((await running.ended).code, 0, running.stderr())
    await scene.judge()
  })

  test('in mid-defragmentation: the run waits for it, touches nothing else, and completes once it is thawed', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk.device, scene)
    const copying = copyBegins(first)
    await using slow = await disk.slow(SLOW)
    const running = scene.start()
    await copying
    await using hung = await disk.device.freeze()
    await slow.end()
    await hung.end()
    assert.equal((await running.ended).code, 0, running.stderr())
    await scene.judge()
  })

  test('in mid-defragmentation for longer than the deadlines: exit code 76, no other is touched', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk.device, scene)
    const copying = copyBegins(first)
    await using slow = await disk.slow(SLOW)
    const running = scene.start(['--defrag-timeout', '1s', '--settle-timeout', '2s'])
    await copying
    await using hung = await disk.device.freeze()
    await slow.end()
    const ended = await running.ended
    const inflight = await scene.cluster.metric(first, 'etcd_disk_defrag_inflight')
    await hung.end()
    const report = documentOf(ended)
    const steps = ['defragment unanswered', 'snapshot done']
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [76, ...steps], report.reason)
    assert.match(report.reason, new RegExp(`member ${first.name}`))
    assert.equal(inflight, 1, 'the disk hung in the middle of it')
    await until('it is done', async () => (await scene.run()).verdict === 'completed')
    await scene.judge()
  })
})
