import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { begins, ends, Scene, slow, stepsOf, whole } from '../lab/scene.js'

/** Where the signal comes, and what is still finished then. */
const instants = [
  ['before the first step', /"event":"started"/, 0],
  ['in the defragmentation of a follower', begins('defragment'), 1],
  ['between two steps', ends('defragment'), 1],
  ['in the move of the leadership', begins('moveLeader'), 3],
  ['in the defragmentation of the ex-leader', begins('defragment', 3), 4],
  ['in the backup', begins('snapshot'), 4],
] as const

describe('a signal to the run', { timeout: 180_000 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    test(`${signal} at each kind of step: what etcd would carry on with is waited for, exit code 75`, async () => {
      await using scene = await Scene.set(slow)
      for (const [when, instant, finished] of instants) {
        const running = await scene.startOnLeader()
        await running.said(instant)
        running.kill(signal)
        const report = await scene.reportOf(running)
        assert.deepEqual(
          [report.exitCode, report.fault, stepsOf(report)],
          [75, { kind: 'interrupted', by: signal }, whole.slice(0, finished)],
          when,
        )
      }
      await scene.judge()
    })

  test('a second signal changes nothing', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start()
    const { resume } = await scene.stopDefragmenting(running)
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) {
      running.kill(signal)
      await sleep(100)
    }
    resume()
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report)], [75, ['defragment done']])
    await scene.judge()
  })
})
