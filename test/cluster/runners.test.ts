import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Cluster } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { isRoot } from '../lab/loopDevice.js'

/** proc(5): processes whose parent it is, and theirs. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const own = list
    .split(' ')
    .filter(id => id !== '')
    .map(Number)
  return [...own, ...(await Promise.all(own.map(childrenOf))).flat()]
}

const skip = isRoot ? false : 'the lock is in /run, and that takes root'

describe('two runs on one host', { timeout: 120_000, skip }, () => {
  test('the second leaves at once with the process id of the first, or waits for it', async () => {
    await using cluster = await Cluster.start()
    await fragment(cluster, 60)
    const leader = await cluster.leader()
    const job = [...cluster.flags(leader), '--force-nonleader', '--no-trim', '--output', 'json']
    const backup = (name: string) => ['--backup-path', join(cluster.folder, name)]
    const first = start([...job, ...backup('first.xz')])
    await first.said(/"event":"stepStarted"/)
    const frozen = cluster.members.find(m => first.stderr().includes(`"name":"${m.name}"`))
    frozen?.process?.kill('SIGSTOP') // so that the first is truly at it while the second comes
    const second = start([...job, ...backup('second.xz'), '--force-unhealthy', '--command-timeout', '1s'])
    const left = documentOf(await second.ended)
    assert.deepEqual([left.exitCode, left.verdict, left.check, left.steps], [0, 'skipped', 'oneRunner', []])
    assert.match(left.reason, new RegExp(`process ${first.pid}\\b.*--wait`))
    frozen?.process?.kill('SIGCONT')
    // It may find an election that the frozen member has caused.
    const third = documentOf(
      await etcdDefrag([...job, ...backup('third.xz'), '--wait', '1m', '--force-unhealthy']),
    )
    assert.equal(documentOf(await first.ended).verdict, 'completed')
    assert.equal(third.verdict, 'completed', JSON.stringify(third))
    assert.ok(Date.parse(third.steps[0].startedAt) > Date.parse(documentOf(await first.ended).endedAt))
  })

  test('what keeps the lock outlives a signal to the whole group, and the run notices when it is killed', async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 20)
    const job = [...cluster.flags(await cluster.leader()), '--no-trim', '--no-backup', '--output', 'json']
    const first = start([...job, '--no-coordination', '--pause', '20s'])
    await first.said(/"event":"stepEnded"/)
    const helpers = await childrenOf(first.pid)
    assert.ok(helpers.length > 0)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      for (const helper of helpers) process.kill(helper, signal)
    const second = documentOf(await etcdDefrag([...job, '--no-coordination', '--force-nonleader']))
    assert.equal(second.check, 'oneRunner', `${second.verdict} ${second.reason}`)
    for (const helper of helpers) process.kill(helper, 'SIGKILL')
    const report = documentOf(await first.ended)
    assert.deepEqual([report.exitCode, report.steps.length], [75, 1])
    assert.equal(report.reason, 'interrupted by the loss of the lock on this host (its flock has ended)')
  })

  test('a run that was killed holds nobody up', async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    await fragment(cluster, 60)
    const [only] = cluster.members
    assert.ok(only)
    const path = join(cluster.folder, 'etcd-backup.xz')
    const job = [
      ...cluster.flags(only),
      '--force-single',
      '--no-trim',
      '--backup-path',
      path,
      '--output',
      'json',
    ]
    const killed = start(job)
    await killed.said(/"event":"stepStarted","step":"snapshot"/)
    killed.kill('SIGKILL')
    await killed.ended
    const report = documentOf(await etcdDefrag(job))
    assert.equal(report.verdict, 'completed')
    assert.ok(
      !(await readdir('/run/etcd-defrag')).some(name => name.includes(report.after.clusterId)),
      'the lock is left',
    )
  })
})
