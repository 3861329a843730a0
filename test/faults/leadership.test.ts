import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LabMember } from '../lab/cluster.js'
import { ends, first, Scene, stepsOf, withoutBackup } from '../lab/scene.js'

/**
 * Whoever leads is asked, over etcd's JSON gateway: faster than a program that has to be started first. A transfer that
 * raft has given up is polled for until the client leaves.
 */
async function moveLeader(scene: Scene, to: string): Promise<void> {
  await Promise.all(
    scene.cluster.members.map(member =>
      fetch(`${member.clientUrl}/v3/maintenance/transfer-leadership`, {
        method: 'POST',
        body: JSON.stringify({ targetID: to }),
        signal: AbortSignal.timeout(3_000),
      }).then(
        answer => answer.text(),
        () => '',
      ),
    ),
  )
}

/** In decimal, as the gateway has it. */
async function idOf({ clientUrl }: LabMember): Promise<string> {
  const answer = await fetch(`${clientUrl}/v3/maintenance/status`, { method: 'POST', body: '{}' })
  return ((await answer.json()) as { header: { member_id: string } }).header.member_id
}

describe('leadership that others move about', { timeout: 600_000 }, () => {
  test('back to the leader after every move: it is never defragmented while it leads', async () => {
    await using scene = await Scene.set({ tls: false })
    const id = await idOf(scene.leader)
    const running = scene.start(['--no-backup'])
    let [isOver, moves] = [false, 0]
    const watching = running.ended.then(() => {
      isOver = true
    })
    while (!isOver) {
      const ended = running.said(ends('moveLeader', 'done', moves + 1)).catch(() => {}) // it has ended instead
      await Promise.race([ended, watching])
      if (!isOver) await moveLeader(scene, id)
      moves += 1
    }
    const report = await scene.reportOf(running)
    // On a busy machine it may come back too late, when the ex-leader is at its defragmentation already.
    assert.ok([0, 76].includes(report.exitCode), report.reason)
    if (report.exitCode === 76) assert.match(report.reason, /leadership was moved 5 times in vain/)
    await scene.judge()
  })

  for (const to of ['a defragmented follower', 'the follower that comes next'] as const)
    test(`in mid-run to ${to}: every member is defragmented once, none that leads`, async () => {
      await using scene = await Scene.set({ tls: false })
      const ids = new Map(
        await Promise.all(scene.cluster.members.map(async m => [m, await idOf(m)] as const)),
      )
      const running = scene.start(['--no-backup'])
      await running.said(ends('defragment'))
      const done = scene.at(running)
      const target = to === 'a defragmented follower' ? done : first(scene.followers.filter(m => m !== done))
      await moveLeader(scene, ids.get(target) ?? '')
      const report = await scene.reportOf(running)
      assert.equal(report.verdict, 'completed', report.reason)
      assert.deepEqual(
        stepsOf(report).filter(step => step.startsWith('defragment')),
        withoutBackup.filter(step => step.startsWith('defragment')),
      )
      await scene.judge()
    })
})
