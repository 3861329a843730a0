import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Cluster, type LabMember, suites } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { restore } from '../lab/restore.js'

/** The job as a user starts it on a node, watched from etcd's own side: its metrics, its logs, its tools. */
for (const suite of suites)
  for (const size of [3, 5])
    describe(`the job on ${size} members of Debian ${suite}`, { timeout: 180_000 }, () => {
      let cluster: Cluster
      let folder: string
      let kept: Map<string, string>
      before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-job-'))
        cluster = await Cluster.start({ suite, size })
        kept = await fragment(cluster, 30)
      })
      after(async () => {
        await cluster?.[Symbol.asyncDispose]()
        await rm(folder, { recursive: true })
      })
      const archive = () => join(folder, 'etcd-backup.xz')

      test('on the leader: followers first, one move, the ex-leader last, each once; a backup that restores', async () => {
        const leader = await cluster.leader()
        const sizes = await cluster.status()
        const ended = await etcdDefrag([
          ...cluster.flags(leader),
          '--backup-path',
          archive(),
          '--no-trim',
          '--output',
          'json',
        ])
        const report = documentOf(ended)
        assert.deepEqual([ended.code, report.verdict], [0, 'completed'], ended.stderr)

        await isWitnessed(cluster, leader, report.startedAt)
        for (const status of await cluster.status())
          assert.ok(status.Status.dbSize < 10e6, `${status.Endpoint} still has ${status.Status.dbSize} bytes`)

        const steps = report.steps as {
          step: string
          member?: { name: string }
          result: { before: { dbSize: number } }
        }[]
        assert.deepEqual(
          steps.map(step => step.step),
          [...Array(size - 1).fill('defragment'), 'moveLeader', 'defragment', 'snapshot'],
        )
        for (const step of steps.filter(s => s.step === 'defragment')) {
          const url = cluster.members.find(m => m.name === step.member?.name)?.clientUrl
          assert.equal(step.result.before.dbSize, sizes.find(s => s.Endpoint === url)?.Status.dbSize)
        }
        assert.equal((await stat(archive())).mode & 0o777, 0o600)
        assert.deepEqual((await readdir(folder)).sort(), ['etcd-backup.xz', 'etcd-backup.xz.json'])
        assert.deepEqual((await restore(archive(), suite, '/registry/')).keys, kept)
      })

      test('--force-nonleader on a follower: the real leader hands over, none is left out, none comes twice, the local one is backed up', async () => {
        const [local] = await cluster.followers()
        assert.ok(local)
        const leader = await cluster.leader()
        const counts = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
        const ended = await etcdDefrag([
          ...cluster.flags(local),
          '--force-nonleader',
          '--backup-path',
          archive(),
          '--no-trim',
          '--output',
          'json',
        ])
        const report = documentOf(ended)
        assert.deepEqual([ended.code, report.verdict], [0, 'completed'], ended.stderr)
        await isWitnessed(cluster, leader, report.startedAt, counts)
        assert.equal(report.steps.at(-1).member.name, local.name)
        assert.deepEqual((await restore(archive(), suite, '/registry/')).keys, kept)
      })

      test('a node whose member does not lead leaves the work to the leader, exit code 0', async () => {
        const [local] = await cluster.followers()
        assert.ok(local)
        const counts = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
        const ended = await etcdDefrag([
          ...cluster.flags(local),
          '--no-trim',
          '--backup-path',
          archive(),
          '--output',
          'json',
        ])
        const report = documentOf(ended)
        assert.deepEqual(
          [ended.code, report.verdict, report.check, report.steps],
          [0, 'skipped', 'localLeads', []],
        )
        assert.match(report.reason, /--force-nonleader/)
        assert.deepEqual(await Promise.all(cluster.members.map(m => cluster.defragmentations(m))), counts)
      })

      test('a move is over when the ex-leader follows, and not only with the next tick of etcd, of 100 ms', async () => {
        const tookMs: number[] = []
        for (let moves = 0; moves < 4; moves++) {
          const flags = [...cluster.flags(await cluster.leader()), '--no-backup', '--no-trim']
          const report = documentOf(await etcdDefrag([...flags, '--output', 'json']))
          tookMs.push(report.steps.find(({ step }: { step: string }) => step === 'moveLeader').tookMs)
        }
        assert.ok(Math.min(...tookMs) < 90, `${tookMs} ms`)
      })
    })

/** Order and leadership as the members themselves logged them, and how often each was defragmented. */
async function isWitnessed(
  cluster: Cluster,
  leader: LabMember,
  startedAt: string,
  before: readonly number[] = [],
): Promise<void> {
  const history = (await cluster.history(Date.parse(startedAt))).filter(
    // 3.5 logs a defragmentation both where the call comes in and where it is done.
    (entry, i, all) =>
      entry.what !== 'defragment' || all[i - 1]?.member !== entry.member || all[i - 1]?.what !== 'defragment',
  )
  const order = history.filter(entry => entry.what === 'defragment').map(entry => entry.member)
  assert.deepEqual(order.toSorted(), cluster.members.map(m => m.name).toSorted(), 'each member once')
  assert.equal(order.at(-1), leader.name, 'the ex-leader last')
  const elections = history.filter(entry => entry.what === 'leads')
  assert.equal(elections.length, 1, `one change of leadership, not ${JSON.stringify(elections)}`)
  assert.equal(history.at(-2)?.what, 'leads', 'leadership moved when all followers were done')
  assert.notEqual(elections[0]?.member, leader.name)
  for (const [i, member] of cluster.members.entries())
    assert.equal(await cluster.defragmentations(member), (before[i] ?? 0) + 1, `${member.name}'s own count`)
}
