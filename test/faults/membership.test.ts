import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Cluster, type LabMember, until } from '../lab/cluster.js'
import { ends, first, Scene, stepsOf, withoutBackup } from '../lab/scene.js'

async function idOf(cluster: Cluster, { name }: LabMember): Promise<string> {
  const list = await cluster.etcdctl(['member', 'list'])
  return new RegExp(`^([0-9a-f]+), started, ${name},`, 'm').exec(list)?.[1] ?? ''
}

/** etcd promotes no learner that has not caught up yet. */
const promote = (scene: Scene, id: string) =>
  until(`learner ${id} is promoted`, () =>
    scene.cluster.etcdctl(['member', 'promote', id], [scene.leader]).then(
      () => true,
      () => false,
    ),
  )

/** Else etcd adds and removes nobody in the first 5 s (etcd: server.go, HealthInterval). */
const flags = ['--strict-reconfig-check=false']

describe('members that come and go', { timeout: 120_000 }, () => {
  test('a learner is left alone; promoted in mid-run it is a voter like any other', async () => {
    await using scene = await Scene.set({ flags })
    const learner = await scene.cluster.addLearner('m4')
    const before = await scene.run(['--no-backup'])
    assert.deepEqual([before.verdict, stepsOf(before)], ['completed', withoutBackup])
    assert.deepEqual(
      before.leftAlone.map((m: { name: string }) => m.name),
      [learner.name],
    )
    const id = await idOf(scene.cluster, learner)
    const running = scene.start(['--no-backup', '--force-nonleader'])
    await running.said(ends('defragment'))
    await promote(scene, id)
    const report = await scene.reportOf(running)
    assert.equal(report.verdict, 'completed', report.reason)
    assert.deepEqual(report.leftAlone, [])
    await scene.judge()
  })

  test('a member that is added and has not started holds the run up until it is removed', async () => {
    await using scene = await Scene.set({ flags })
    const running = scene.start(['--no-backup'])
    await running.said(ends('defragment'))
    const added = await scene.cluster.etcdctl(['member', 'add', 'm4', '--peer-urls=https://127.0.0.1:1'])
    await running.said(/"event":"waiting","because":"[^"]*has not started yet/)
    await scene.cluster.etcdctl(['member', 'remove', /Member\s+([0-9a-f]+) added/.exec(added)?.[1] ?? ''])
    const report = await scene.reportOf(running)
    assert.deepEqual([report.verdict, stepsOf(report)], ['completed', withoutBackup])
    await scene.judge()
  })

  for (const which of ['has been defragmented', 'comes next'] as const)
    test(`a member that is removed in mid-run, and ${which}, is not waited for`, async () => {
      await using scene = await Scene.set({ flags })
      const { cluster } = scene
      const ids = new Map(
        await Promise.all(cluster.members.map(async m => [m, await idOf(cluster, m)] as const)),
      )
      const running = scene.start(['--no-backup'])
      await running.said(ends('defragment'))
      const done = scene.at(running)
      const gone = which === 'comes next' ? first(scene.followers.filter(m => m !== done)) : done
      await cluster.etcdctl(['member', 'remove', ids.get(gone) ?? ''], [scene.leader])
      const report = await scene.reportOf(running)
      assert.ok([0, 76].includes(report.exitCode), report.reason)
      await cluster.kill(gone)
      cluster.members.splice(cluster.members.indexOf(gone), 1)
      await scene.judge()
    })

  test('authentication that is switched on in mid-run ends the run, and it says so', async () => {
    await using scene = await Scene.set({ flags })
    await scene.cluster.etcdctl(['user', 'add', 'root:word'])
    await scene.cluster.etcdctl(['user', 'grant-role', 'root', 'root'])
    const running = scene.start(['--no-backup', '--settle-timeout', '3s'])
    await running.said(ends('defragment'))
    await scene.cluster.etcdctl(['auth', 'enable'])
    const report = await scene.reportOf(running)
    assert.equal(report.exitCode, 76, report.reason)
    assert.match(report.reason, /--user/)
    const again = await scene.run(['--no-backup', '--user', 'root:word'])
    assert.equal(again.verdict, 'completed', again.reason)
    await scene.cluster.etcdctl(['--user=root:word', 'auth', 'disable'])
    await scene.judge()
  })
})
