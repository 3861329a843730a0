import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LabMember, until } from '../lab/cluster.js'
import { isRoot } from '../lab/loopDevice.js'
import { Network } from '../lab/network.js'
import { first, Scene, slow, stepsOf, withoutBackup } from '../lab/scene.js'

const skip = isRoot ? false : 'networks of its own and a bridge take root'
/** A pulled cable leaves calls open, so all waits are short. */
const waits = ['--defrag-timeout', '3s', '--dial-timeout', '1s']

describe('a network that breaks', { timeout: 240_000, skip }, () => {
  let network: Network
  before(async () => {
    network = await Network.create(3)
  })
  after(() => network?.[Symbol.asyncDispose]())
  const scenes = (more = {}) => Scene.set({ tls: false, places: network.places, fill: network.fill, ...more })

  /** Breaks it, and tells the witness how long it was broken; resolves to what mends it. */
  async function breaks(
    scene: Scene,
    member: LabMember,
    how: 'from its peers' | 'from everything',
  ): Promise<() => Promise<void>> {
    const back = scene.witness.out(member, 'cut off')
    const mend =
      how === 'from everything'
        ? await network.unplug(member)
        : await network.cutFromPeers(member, scene.cluster.members)
    return async () => {
      back()
      await mend()
      await until('the cluster is whole', () =>
        scene.cluster.etcdctl(['endpoint', 'health']).then(
          () => true,
          () => false,
        ),
      )
    }
  }

  for (const [who, how] of [
    ['a follower', 'from its peers'],
    ['the leader', 'from its peers'],
    ['the leader', 'from everything'],
  ] as const)
    test(`${who}, cut off ${how} before the run: nothing is touched on any node`, async () => {
      await using scene = await scenes({ megabytes: 4 })
      const member = who === 'a follower' ? first(scene.followers) : scene.leader
      const mend = await breaks(scene, member, how)
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

  for (const [who, how] of [
    ['the follower itself', 'from its peers'],
    ['the follower itself', 'from everything'],
    ['the leader', 'from its peers'],
    ['the leader', 'from everything'],
  ] as const)
    for (const isBack of [true, false])
      test(`${who}, cut off ${how} in the defragmentation of a follower, ${isBack ? 'is waited for' : 'and for good: nothing more is touched'}`, async () => {
        await using scene = await scenes(slow)
        const running = scene.start([...waits, '--no-backup', ...['--settle-timeout', isBack ? '20s' : '4s']])
        const { member, resume } = await scene.stopDefragmenting(running)
        const mend = await breaks(scene, who === 'the leader' ? scene.leader : member, how)
        resume()
        try {
          if (isBack) await sleep(2_000).then(mend)
          const report = await scene.reportOf(running)
          const steps = stepsOf(report)
          if (isBack) assert.ok([0, 76].includes(report.exitCode), report.reason)
          else assert.deepEqual([report.exitCode, steps.length], [76, 1], report.reason)
          if (report.exitCode === 0) assert.equal(steps.length >= withoutBackup.length - 1, true)
        } finally {
          if (!isBack) await mend()
        }
        await scene.judge()
      })

  test('that loses 30 % of all packets: whatever a run does in it, it tells the truth', async () => {
    await using scene = await scenes(slow)
    const mends = await Promise.all(scene.cluster.members.map(member => network.lose(member, 30)))
    const report = await scene.reportOf(scene.start([...waits, '--settle-timeout', '10s']))
    await Promise.all(mends.map(mend => mend()))
    assert.ok([0, 69, 73, 76].includes(report.exitCode), report.reason)
    await until('the cluster is whole', () =>
      scene.cluster.etcdctl(['endpoint', 'health']).then(
        () => true,
        () => false,
      ),
    )
    // A look takes seconds then, and the leader may have changed since it began.
    await scene.judge({ lookMs: 5_000 })
  })
})
