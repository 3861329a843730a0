import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isRoot } from '../lab/loopDevice.js'
import { Network } from '../lab/network.js'
import { begins, first, Scene, slow } from '../lab/scene.js'

const skip = isRoot ? false : 'networks of its own and a bridge take root'
/** Calls that nobody answers are not waited for long. */
const waits = ['--defrag-timeout', '3s', '--dial-timeout', '1s']

describe('a network that is broken', { timeout: 600_000, skip }, () => {
  let network: Network
  before(async () => {
    network = await Network.create(3)
  })
  after(() => network?.[Symbol.asyncDispose]())
  const scenes = (more = {}) => Scene.set({ tls: false, ...network.lab, ...more })

  for (const [who, how] of [
    ['a follower', 'from its peers'],
    ['the leader', 'from its peers'],
    ['the leader', 'from everything'],
  ] as const)
    test(`${who}, cut off ${how} before the run: nothing is touched on any node`, async () => {
      await using scene = await scenes({ megabytes: 4 })
      const member = who === 'a follower' ? first(scene.followers) : scene.leader
      const mend = await network.breaks(scene, member, how)
      try {
        for (const local of scene.cluster.members) {
          const report = await scene.reportOf(scene.start([...waits, '--settle-timeout', '2s'], {}, local))
          assert.ok(report.exitCode === 69 || report.verdict === 'skipped', report.reason)
          assert.deepEqual(report.steps, [])
        }
      } finally {
        await mend()
      }
      await scene.judge()
    })

  for (const since of ['from its beginning', 'from its first step'] as const)
    test(`30 % of all packets lost in a run ${since}: whatever it does, it tells the truth`, async () => {
      await using scene = await scenes(slow)
      const lose = () => Promise.all(scene.cluster.members.map(member => network.lose(member, 30)))
      const early = since === 'from its beginning' ? await lose() : []
      // With enough patience, a run gets somewhere in spite of it.
      const patience = ['--command-timeout', '4s', '--settle-timeout', '10s', '--defrag-timeout', '4s']
      const running = scene.start(patience)
      const late = early.length > 0 ? [] : await running.said(begins('defragment')).then(lose)
      const report = await scene.reportOf(running)
      await Promise.all([...early, ...late].map(mend => mend()))
      assert.ok([0, 69, 73, 75, 76].includes(report.exitCode), report.reason)
      await scene.untilWhole()
      // A look takes seconds then, and the leader may have changed since it began.
      await scene.judge({ lookMs: 5_000 })
    })
})
