import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { FaultyDisk } from '../lab/faultyDisk.js'
import { noDisks, sceneOn } from './scene.js'

/** 4 MB are copied: 8 s. */
const SLOW = 500_000
const stepsOf = (report: { steps: { step: string; outcome: string }[] }) =>
  report.steps.map(({ step, outcome }) => `${step} ${outcome}`)

describe("a follower's disk so slow that its defragmentation outlasts the deadline", {
  timeout: 120_000,
  skip: noDisks,
}, () => {
  test('and the settle timeout: exit code 76, the member named, no other touched', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await sceneOn(disk)
    const { cluster, local, first } = scene
    await using _slow = await disk.slow(SLOW)
    const job = [...cluster.flags(local), '--no-trim', '--no-backup', '--output', 'json']
    const ended = await etcdDefrag([...job, '--defrag-timeout', '1s', '--settle-timeout', '2s'])
    const report = documentOf(ended)
    assert.deepEqual([ended.code, stepsOf(report)], [76, ['defragment unanswered']], ended.stdout)
    assert.match(report.reason, new RegExp(`member ${first.name}`))
  })

  test('but not a generous settle timeout: it is waited for, then the run goes on to its end', async () => {
    await using disk = await FaultyDisk.create(400)
    await using scene = await sceneOn(disk)
    const { cluster, local } = scene
    await using _slow = await disk.slow(SLOW)
    const job = [...cluster.flags(local), '--no-trim', '--no-backup', '--output', 'json']
    const ended = await etcdDefrag([...job, '--defrag-timeout', '1s', '--settle-timeout', '1m'])
    const report = documentOf(ended)
    assert.deepEqual(
      [ended.code, stepsOf(report)],
      [0, ['defragment unanswered', 'defragment done', 'moveLeader done', 'defragment done']],
      ended.stdout,
    )
  })
})
