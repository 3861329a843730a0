import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../lab/cluster.js'
import { firstFollowerOn, noDisks } from '../lab/diskOf.js'
import { clientOf } from '../lab/fill.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { Scene, stepsOf } from '../lab/scene.js'

/** The copy wants 2 MB. */
const LEFT = 700_000

describe("a follower's disk that is full in the middle of its defragmentation", {
  timeout: 300_000,
  skip: noDisks,
}, () => {
  test('etcd 3.5.30 stays up: no other is defragmented, the backup is still taken, exit code 76', async () => {
    await using disk = await LoopDevice.create(400)
    await using scene = await Scene.set({ suite: 'forky', megabytes: 20 })
    const first = await firstFollowerOn(disk, scene)
    await using full = await disk.fill(LEFT)
    const report = await scene.run()
    const steps = ['defragment failed', 'snapshot done']
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [76, ...steps], report.reason)
    assert.match(report.reason, new RegExp(`member ${first.name} .*no space left`))
    assert.equal(await scene.cluster.leader(), scene.leader, 'leadership stayed where it was')
    const left = (await readdir(join(first.dataDir, 'member/snap'))).filter(name => name.startsWith('db.tmp'))
    assert.equal(left.length, 1, 'it was in the middle of the copy')

    await full.end()
    assert.equal((await scene.run()).verdict, 'completed', 'with room again the next run does the whole job')
    await scene.judge()
  })

  // Its defragmentation only answers with an error; the next entry it applies ends it (etcd #18810).
  test('etcd 3.5.16 ends with the next write: no other is touched, exit code 76', async () => {
    await using disk = await LoopDevice.create(400)
    await using scene = await Scene.set({ suite: 'trixie', megabytes: 20 })
    const first = await firstFollowerOn(disk, scene)
    await using full = await disk.fill(LEFT)
    await using _writes = await writesTo(scene)
    const report = await scene.run(['--settle-timeout', '3s'])
    const steps = ['defragment failed', 'snapshot done']
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [76, ...steps], report.reason)
    assert.match(report.reason, new RegExp(`member ${first.name}`))
    await until(`${first.name} has ended`, async () => first.process?.exitCode !== null)

    await full.end()
    await scene.witness.restart(first)
    assert.equal((await scene.run()).verdict, 'completed', 'with room again the next run does the whole job')
    await scene.judge()
  })
})

/** A write every few milliseconds until it is disposed of. */
async function writesTo({ cluster, leader }: Scene): Promise<AsyncDisposable> {
  const client = await clientOf(cluster, [leader])
  const over = new AbortController()
  const writing = (async () => {
    while (!over.signal.aborted) {
      await client.put('/written/all/the/time').value(Date.now())
      await sleep(5)
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await writing
      client.close()
    },
  }
}
