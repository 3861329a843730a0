import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { begins, ends, first, Scene, slow, stepsOf, whole, withoutBackup } from '../lab/scene.js'

describe('a member that is killed (SIGKILL) and started again', { timeout: 600_000 }, () => {
  test('before the run: nothing is touched until it is back, then the whole job is done', async () => {
    await using scene = await Scene.set()
    const follower = first(scene.followers)
    await scene.witness.kill(follower)
    assert.equal((await scene.run()).exitCode, 69)
    await scene.witness.restart(follower)
    assert.deepEqual(stepsOf(await scene.run(['--no-backup'])), withoutBackup)
    await scene.judge()
  })

  test('in its own defragmentation: no other member is put to the same test, exit code 76', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start()
    const { member } = await scene.stopDefragmenting(running)
    await scene.witness.kill(member)
    await scene.witness.restart(member)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report)], [76, ['defragment failed', 'snapshot done']])
    assert.equal((await scene.run(['--no-backup'])).verdict, 'completed', 'the next run does the whole job')
    await scene.judge()
  })

  test('in the defragmentation of another: that one is finished, and the run waits for both', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start(['--no-backup'])
    const { member, resume } = await scene.stopDefragmenting(running)
    const other = first(scene.followers.filter(m => m !== member))
    await scene.witness.kill(other)
    resume()
    await running.said(/"event":"(waiting|ended)"/)
    await scene.witness.restart(other)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.verdict, stepsOf(report)], ['completed', withoutBackup])
    await scene.judge()
  })

  for (const nth of [1, 2, 3])
    test(`after its defragmentation, number ${nth} in order: the run waits for it`, async () => {
      await using scene = await Scene.set()
      const running = scene.start()
      await running.said(ends('defragment', 'done', nth))
      const member = scene.at(running)
      await scene.witness.kill(member)
      await running.said(/"event":"(waiting|ended)"/)
      await scene.witness.restart(member)
      const report = await scene.reportOf(running)
      // On a busy machine the backup of the third one has begun before it dies.
      assert.ok(report.exitCode === 0 || (nth === 3 && report.exitCode === 73), report.reason)
      await scene.judge()
    })

  for (const when of ['before the move', 'during the move', 'after the move'] as const)
    for (const who of ['the leader', 'a follower'] as const)
      test(`${when} of the leadership, ${who}: the job is done in the end`, async () => {
        await using scene = await Scene.set()
        const running = scene.start()
        if (when === 'before the move') await running.said(ends('defragment', 'done', 2))
        if (when === 'during the move') await running.said(begins('moveLeader'))
        if (when === 'after the move') await running.said(ends('moveLeader'))
        const victim = who === 'the leader' ? scene.leader : first(scene.followers)
        await scene.witness.kill(victim)
        await running.said(/"event":"(waiting|ended)"/)
        await scene.witness.restart(victim)
        const report = await scene.reportOf(running)
        assert.equal(report.verdict, 'completed', report.reason)
        await scene.judge()
      })

  test('in mid-run, the leader, for good: exit code 76, and the election leads to no further step', async () => {
    await using scene = await Scene.set()
    const running = scene.start(['--settle-timeout', '3s'])
    await running.said(ends('defragment'))
    await scene.witness.kill(scene.leader)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report)], [76, ['defragment done']])
    assert.match(report.reason, new RegExp(scene.leader.name))
    await scene.witness.restart(scene.leader)
    await scene.judge()
  })

  test('after its defragmentation, for good: exit code 76, no further member, and a backup all the same', async () => {
    await using scene = await Scene.set()
    const running = scene.start(['--settle-timeout', '3s'])
    await running.said(ends('defragment'))
    const member = scene.at(running)
    await scene.witness.kill(member)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report)], [76, ['defragment done', 'snapshot done']])
    assert.match(report.reason, new RegExp(member.name))
    await scene.witness.restart(member)
    await scene.judge()
  })

  test('in the defragmentation of the ex-leader: exit code 76, and a backup of it once it is back', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start()
    await running.said(begins('defragment', 3))
    await scene.witness.kill(scene.leader)
    await scene.witness.restart(scene.leader)
    const report = await scene.reportOf(running)
    assert.deepEqual(
      [report.exitCode, stepsOf(report)],
      [76, [...whole.slice(0, 3), 'defragment failed', 'snapshot done']],
    )
    await scene.judge()
  })

  test('in the backup, the member it is taken of: exit code 73, and the previous backup stays', async () => {
    await using scene = await Scene.set({ megabytes: 40, keep: 1 })
    const running = scene.start()
    await running.said(begins('snapshot'))
    await scene.witness.kill(scene.leader)
    await scene.witness.restart(scene.leader)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report).at(-1)], [73, 'snapshot failed'], report.reason)
    await scene.judge()
  })
})
