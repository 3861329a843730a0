import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../lab/cluster.js'
import { begins, ends, first, Scene, slow, stepsOf, whole, withoutBackup } from '../lab/scene.js'

describe('a member that is stopped (SIGSTOP)', { timeout: 600_000 }, () => {
  test('before the run, a follower: nothing is touched, or with --force-unhealthy it is left alone', async () => {
    await using scene = await Scene.set()
    const follower = first(scene.followers)
    const resume = scene.witness.stop(follower)
    const refused = await scene.run()
    assert.deepEqual([refused.exitCode, refused.fault.check, refused.steps], [69, 'allHealthy', []])
    const forced = await scene.run(['--force-unhealthy', '--no-backup', '--command-timeout', '500ms'])
    assert.deepEqual([forced.verdict, stepsOf(forced)], ['completed', withoutBackup.slice(1)])
    assert.deepEqual(
      forced.leftAlone.map((m: { name: string }) => m.name),
      [follower.name],
    )
    resume()
    await scene.judge({ forceUnhealthy: true })
  })

  test('in its defragmentation, and goes on: it is waited for, and the job is done', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start(['--no-backup'])
    const { member, resume } = await scene.stopDefragmenting(running)
    await sleep(1_500)
    assert.equal(running.stderr().split('"event":"stepStarted"').length, 2, 'another step began meanwhile')
    resume()
    const report = await scene.reportOf(running)
    assert.deepEqual([report.verdict, stepsOf(report)], ['completed', withoutBackup])
    assert.ok(report.steps[0].tookMs > 1_400, `${member.name} took ${report.steps[0].tookMs} ms`)
    await scene.judge()
  })

  test('in its defragmentation for longer than --defrag-timeout: nothing else is touched before it is back', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start(['--defrag-timeout', '1s', '--no-backup'])
    const { resume } = await scene.stopDefragmenting(running)
    await running.said(ends('defragment', 'unanswered'))
    await running.said(/"event":"waiting"/)
    await sleep(1_000)
    assert.equal(running.stderr().split('"event":"stepStarted"').length, 2, 'another step began meanwhile')
    resume()
    const report = await scene.reportOf(running)
    assert.deepEqual(
      [report.verdict, stepsOf(report)],
      ['completed', ['defragment unanswered', ...withoutBackup.slice(1)]],
    )
    await scene.judge()
  })

  for (const who of ['that was just defragmented', 'that comes next'] as const)
    test(`between two steps, the follower ${who}: the run waits for it`, async () => {
      await using scene = await Scene.set()
      const running = scene.start()
      await running.said(ends('defragment'))
      const done = scene.at(running)
      const stopped =
        who === 'that was just defragmented' ? done : first(scene.followers.filter(m => m !== done))
      const resume = scene.witness.stop(stopped)
      await running.said(/"event":"(waiting|ended)"/)
      resume()
      const report = await scene.reportOf(running)
      assert.deepEqual([report.verdict, stepsOf(report)], ['completed', whole])
      await scene.judge()
    })

  test('between two steps, and does not come back: exit code 76, and no other is touched', async () => {
    await using scene = await Scene.set()
    const running = scene.start(['--settle-timeout', '2s'])
    await running.said(ends('defragment'))
    const member = scene.at(running)
    const resume = scene.witness.stop(member)
    const report = await scene.reportOf(running)
    assert.deepEqual([report.exitCode, stepsOf(report)], [76, ['defragment done', 'snapshot done']])
    assert.match(report.reason, new RegExp(member.name))
    resume()
    await scene.judge()
  })

  for (const isBack of [true, false])
    test(`during the backup, a follower that is ${isBack ? 'back before' : 'still out at'} the end: the backup is made`, async () => {
      await using scene = await Scene.set(slow)
      const running = scene.start(['--settle-timeout', '2s'])
      await running.said(begins('snapshot'))
      const ledNow = await scene.cluster.leader()
      const follower = first(scene.followers.filter(m => m !== ledNow))
      const resume = scene.witness.stop(follower)
      if (isBack) await sleep(500).then(resume)
      const report = await scene.reportOf(running)
      assert.deepEqual(stepsOf(report), whole)
      // The last look of a run is not at a healthy cluster, and somebody should know.
      assert.equal(report.exitCode, isBack ? 0 : 76, report.reason)
      if (!isBack) assert.match(report.reason, new RegExp(follower.name))
      resume()
      await scene.judge()
    })

  test('during the backup, the member it is taken of: it is waited for', async () => {
    await using scene = await Scene.set(slow)
    const running = scene.start()
    await running.said(begins('snapshot'))
    const resume = scene.witness.stop(scene.leader)
    await sleep(1_500)
    resume()
    const report = await scene.reportOf(running)
    assert.deepEqual([report.verdict, stepsOf(report)], ['completed', whole])
    await scene.judge()
  })

  test('between two steps, the leader: the others elect, and the run goes on once all are back', async () => {
    await using scene = await Scene.set()
    const running = scene.start()
    await running.said(ends('defragment'))
    const resume = scene.witness.stop(scene.leader)
    await until('another member leads', async () => (await scene.witness.leader()) !== scene.leader.name)
    resume()
    const report = await scene.reportOf(running)
    assert.equal(report.verdict, 'completed', JSON.stringify(report))
    await scene.judge()
  })
})
