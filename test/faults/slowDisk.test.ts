import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../lab/cluster.js'
import { firstFollowerOn, noDisks } from '../lab/diskOf.js'
import { FaultyDisk } from '../lab/faultyDisk.js'
import { Scene, stepsOf } from '../lab/scene.js'

/** 2 MB are copied: some 8 s. */
const SLOW = 250_000

describe("a follower's disk so slow that its defragmentation outlasts the deadline", {
  timeout: 300_000,
  skip: noDisks,
}, () => {
  test('and the settle timeout: exit code 76, the member named, no other touched', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk.device, scene)
    await using slow = await disk.slow(SLOW)
    // A backup would give it the time to come back.
    const report = await scene.run(['--defrag-timeout', '1s', '--settle-timeout', '2s', '--no-backup'])
    assert.deepEqual([report.exitCode, stepsOf(report)], [76, ['defragment unanswered']], report.reason)
    assert.match(report.reason, new RegExp(`member ${first.name}`))

    await slow.end()
    await until(
      'it is done',
      async () => (await scene.cluster.metric(first, 'etcd_disk_defrag_inflight')) === 0,
    )
    assert.equal((await scene.run()).verdict, 'completed', 'the next run does the whole job')
    await scene.judge()
  })

  test('but not a generous settle timeout: it is waited for, then the run goes on to its end', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await Scene.set()
    await firstFollowerOn(disk.device, scene)
    await using _slow = await disk.slow(SLOW)
    const running = scene.start(['--defrag-timeout', '1s', '--settle-timeout', '1m'])
    await running.said(/"event":"waiting","because":"[^"]*cannot be reached: [^"]*; it is being defragmented/)
    const report = await scene.reportOf(running)
    assert.deepEqual(
      [report.exitCode, ...stepsOf(report)],
      [0, 'defragment unanswered', 'defragment done', 'moveLeader done', 'defragment done', 'snapshot done'],
      report.reason,
    )
    await scene.judge()
  })

  test('sent by hand: no other is touched meanwhile, whatever is forced', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await Scene.set()
    const first = await firstFollowerOn(disk.device, scene)
    await using slow = await disk.slow(SLOW)
    const byHand = scene.cluster.etcdctl(['defrag', '--command-timeout=2m'], [first])
    await until(
      'it is under way',
      async () => (await scene.cluster.metric(first, 'etcd_disk_defrag_inflight')) === 1,
    )
    const report = await scene.run(['--force-unhealthy', '--settle-timeout', '2s'])
    assert.deepEqual(
      [report.exitCode, report.fault.check, report.steps],
      [69, 'othersAtWork', []],
      report.reason,
    )
    assert.match(report.reason, new RegExp(`^member ${first.name} is being defragmented already`))
    await slow.end()
    await byHand
  })
})
