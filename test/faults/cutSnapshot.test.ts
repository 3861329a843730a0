import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, test } from 'node:test'
import { documentOf } from '../lab/command.js'
import { moveData, noDisks } from '../lab/diskOf.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { Relay } from '../lab/relay.js'
import { Scene, stepsOf } from '../lab/scene.js'

/** Kept for the snapshot: 20 MB. */
const large = { tls: false, megabytes: 20, keep: 1 }
const HALF = 8e6
const leftovers = async ({ backupPath }: Scene) =>
  (await readdir(dirname(backupPath))).filter(name => /\.(spool|partial|provenance)$/.test(name))

describe('a snapshot in the middle of which', { timeout: 300_000 }, () => {
  test('the connection is cut: exit code 73, the previous archive stays, nothing else does', async () => {
    await using scene = await Scene.set(large)
    await using relay = await Relay.before(scene.leader.clientUrl)
    const before = await readFile(scene.backupPath)
    const held = relay.heldAfter(HALF)
    const running = scene.start(['--endpoints', relay.url])
    ;(await held).cut()
    const report = documentOf(await running.ended)
    assert.deepEqual(
      [report.exitCode, stepsOf(report).at(-1)],
      [73, 'snapshot failed'],
      JSON.stringify(report.reason),
    )
    assert.match(report.reason, /backup to .*: Snapshot: member/)
    assert.deepEqual([await readFile(scene.backupPath), await leftovers(scene)], [before, []])
    assert.equal((await scene.run()).verdict, 'completed')
    await scene.judge()
  })

  test('the member is killed: exit code 73, the previous archive stays, nothing else does', async () => {
    await using scene = await Scene.set(large)
    await using relay = await Relay.before(scene.leader.clientUrl)
    const before = await readFile(scene.backupPath)
    const held = relay.heldAfter(HALF)
    const running = scene.start(['--endpoints', relay.url, '--settle-timeout', '2s'])
    const stream = await held
    await scene.witness.kill(scene.leader)
    stream.resume()
    const report = documentOf(await running.ended)
    assert.deepEqual([report.exitCode, stepsOf(report).at(-1)], [73, 'snapshot failed'], report.reason)
    assert.deepEqual([await readFile(scene.backupPath), await leftovers(scene)], [before, []])
    await scene.witness.restart(scene.leader)
    assert.equal((await scene.run()).verdict, 'completed')
    await scene.judge()
  })

  test("the local member's disk hangs: what is sent is whole or is no backup", {
    skip: noDisks,
  }, async () => {
    await using disk = await LoopDevice.create(400)
    await using scene = await Scene.set({ ...large, size: 1 })
    await moveData(scene, scene.leader, disk)
    await using relay = await Relay.before(scene.leader.clientUrl)
    const held = relay.heldAfter(HALF)
    const running = scene.start(['--force-single', '--endpoints', relay.url])
    const stream = await held
    await using hung = await disk.freeze()
    stream.resume()
    const report = documentOf(await running.ended)
    await hung.end()
    assert.deepEqual([report.exitCode, ...stepsOf(report)], [0, 'defragment done', 'snapshot done'])
    await scene.judge()
  })
})
