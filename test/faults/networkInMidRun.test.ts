import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoot } from '../lab/loopDevice.js'
import { Network } from '../lab/network.js'
import { Scene, slow, stepsOf, withoutBackup } from '../lab/scene.js'

const skip = isRoot ? false : 'networks of its own and a bridge take root'
/** A pulled cable leaves calls open. */
const waits = ['--defrag-timeout', '3s', '--dial-timeout', '1s']

describe('a network that breaks in mid-run', { timeout: 600_000, skip }, () => {
  let network: Network
  before(async () => {
    network = await Network.create(3)
  })
  after(() => network?.[Symbol.asyncDispose]())

  for (const [who, how] of [
    ['the follower itself', 'from its peers'],
    ['the leader', 'from its peers'],
    ['the leader', 'from everything'],
  ] as const)
    for (const isBack of [true, false])
      test(`${who}, cut off ${how} in the defragmentation of a follower, ${isBack ? 'is waited for' : 'and for good: nothing more is touched'}`, async () => {
        await using scene = await Scene.set({ tls: false, ...network.lab, ...slow })
        const running = scene.start([...waits, '--no-backup', ...['--settle-timeout', isBack ? '20s' : '4s']])
        const { member, resume } = await scene.stopDefragmenting(running)
        const mend = await network.breaks(scene, who === 'the leader' ? scene.leader : member, how)
        resume()
        try {
          if (isBack) await sleep(2_000).then(mend)
          const report = await scene.reportOf(running)
          const steps = stepsOf(report)
          if (isBack) assert.equal(report.verdict, 'completed', report.reason)
          else assert.deepEqual([report.exitCode, steps.length], [76, 1], report.reason)
          if (isBack) assert.ok(steps.length >= withoutBackup.length - 1)
        } finally {
          if (!isBack) await mend()
        }
        await scene.judge()
      })
})
