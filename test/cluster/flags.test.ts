import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AlarmAction, AlarmType } from 'etcd3'
import { Cluster, type LabMember, suites, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'

const force = { single: '--force-single', unhealthy: '--force-unhealthy', nonleader: '--force-nonleader' }
type Force = keyof typeof force
const all: readonly Force[] = ['single', 'unhealthy', 'nonleader']
const combinations: readonly (readonly Force[])[] = Array.from({ length: 8 }, (_, bits) =>
  all.filter((_flag, i) => (bits >> i) & 1),
)

/** What `plan` says on that node with each combination of force flags: exit code, verdict or check, steps. */
async function plans(cluster: Cluster, local: LabMember): Promise<Map<string, string>> {
  const said = new Map<string, string>()
  for (const flags of combinations) {
    const ended = await etcdDefrag([
      'plan',
      ...cluster.flags(local),
      ...flags.map(f => force[f]),
      '--output',
      'json',
    ])
    const { exitCode, verdict, check, fault, steps } = documentOf(ended)
    assert.equal(ended.code, exitCode)
    const kinds = steps.map((s: { step: string }) => s.step[0]).join('') // d, m, s, t
    said.set(flags.join(' ') || 'none', `${exitCode} ${check ?? fault?.check ?? verdict} ${kinds}`.trim())
  }
  return said
}

/** Every combination, by which flags it has. */
const expected = (rule: (has: (flag: Force) => boolean) => string): Map<string, string> =>
  new Map(combinations.map(flags => [flags.join(' ') || 'none', rule(flag => flags.includes(flag))]))

for (const suite of suites)
  describe(`every combination of force flags, Debian ${suite}`, { timeout: 180_000 }, () => {
    test('on three members', async () => {
      await using cluster = await Cluster.start({ suite })
      const leader = await cluster.leader()
      const [follower, other] = await cluster.followers()
      assert.ok(follower && other)

      // --force-single and --force-unhealthy change nothing on a healthy cluster.
      assert.deepEqual(
        await plans(cluster, leader),
        expected(() => '0 completed ddmdst'),
      )
      assert.deepEqual(
        await plans(cluster, follower),
        expected(has => (has('nonleader') ? '0 completed ddmdst' : '0 localLeads')),
      )

      await cluster.kill(other)
      assert.deepEqual(
        await plans(cluster, leader),
        expected(has => (has('unhealthy') ? '0 completed dmdst' : '69 allHealthy')),
      )
      assert.deepEqual(
        await plans(cluster, follower),
        expected(has =>
          !has('nonleader') ? '0 localLeads' : has('unhealthy') ? '0 completed dmdst' : '69 allHealthy',
        ),
      )

      // Without a quorum there is no leader: one at a time, and no move.
      await cluster.kill(leader)
      await untilLeaderless(cluster, follower)
      assert.deepEqual(
        await plans(cluster, follower),
        expected(has => (has('unhealthy') ? '0 completed dst' : '69 leaderAgreed')),
      )
    })

    test('on a single member', async () => {
      await using cluster = await Cluster.start({ suite, size: 1 })
      const [only] = cluster.members
      assert.ok(only)
      assert.deepEqual(
        await plans(cluster, only),
        expected(has => (has('single') ? '0 completed dst' : '0 clusterSize')),
      )
    })
  })

for (const suite of suites)
  describe(`forced runs, Debian ${suite}`, { timeout: 180_000 }, () => {
    test('--force-single defragments and backs up the only member', async () => {
      await using cluster = await Cluster.start({ suite, size: 1, tls: false })
      await fragment(cluster, 10)
      await withFolder(async folder => {
        const [only] = cluster.members
        assert.ok(only)
        const job = [
          ...cluster.flags(only),
          '--no-trim',
          '--backup-path',
          join(folder, 'b.xz'),
          '--output',
          'json',
        ]
        assert.deepEqual(documentOf(await etcdDefrag(job)).check, 'clusterSize')
        assert.equal(await cluster.defragmentations(only), 0)
        const report = documentOf(await etcdDefrag([...job, '--force-single']))
        assert.deepEqual(
          report.steps.map((s: { step: string }) => s.step),
          ['defragment', 'snapshot'],
        )
        assert.equal(await cluster.defragmentations(only), 1)
      })
    })

    test('--force-unhealthy skips the member that is down, names it, and says what can be borne meanwhile', async () => {
      await using cluster = await Cluster.start({ suite })
      await fragment(cluster, 10)
      await withFolder(async folder => {
        const leader = await cluster.leader()
        const [alive, dead] = await cluster.followers()
        assert.ok(alive && dead)
        await cluster.kill(dead)
        const job = [
          ...cluster.flags(leader),
          '--no-trim',
          '--backup-path',
          join(folder, 'b.xz'),
          '--output',
          'json',
        ]
        const refused = await etcdDefrag(job)
        assert.equal(refused.code, 69)
        assert.match(
          documentOf(refused).reason,
          new RegExp(`member ${dead.name} cannot be reached.*--force-unhealthy`),
        )
        assert.equal(await cluster.defragmentations(alive), 0)

        const planned = documentOf(await etcdDefrag(['plan', ...job, '--force-unhealthy']))
        const report = documentOf(await etcdDefrag([...job, '--force-unhealthy']))
        for (const said of [planned, report]) {
          assert.deepEqual(
            said.leftAlone.map((l: { name: string }) => l.name),
            [dead.name],
          )
          assert.match(
            said.warnings.join(),
            /2 of 3 voting members are healthy and 2 make a quorum: no further failure can be borne/,
          )
        }
        assert.equal(report.verdict, 'completed')
        assert.deepEqual(
          [await cluster.defragmentations(alive), await cluster.defragmentations(leader)],
          [1, 1],
        )
        assert.equal((await cluster.leader([alive, leader])).name, alive.name)
      })
    })

    test('--force-unhealthy and --force-nonleader: the real leader hands over, the dead one is skipped, the local one is backed up', async () => {
      await using cluster = await Cluster.start({ suite, size: 5 })
      await fragment(cluster, 10)
      await withFolder(async folder => {
        const leader = await cluster.leader()
        const [local, dead, ...others] = await cluster.followers()
        assert.ok(local && dead)
        await cluster.kill(dead)
        const job = [
          ...cluster.flags(local),
          '--no-trim',
          '--backup-path',
          join(folder, 'b.xz'),
          '--output',
          'json',
        ]
        const report = documentOf(await etcdDefrag([...job, '--force-unhealthy', '--force-nonleader']))
        assert.equal(report.verdict, 'completed', JSON.stringify(report))
        for (const member of [local, leader, ...others])
          assert.equal(await cluster.defragmentations(member), 1)
        assert.deepEqual(report.steps.at(-1).member.name, local.name)
        assert.deepEqual(report.steps.at(-2).member.name, leader.name)
        assert.match(report.warnings.join(), /1 further failure can be borne/)
      })
    })

    test('without a leader --force-unhealthy defragments the reachable members and moves no leadership', async () => {
      await using cluster = await Cluster.start({ suite })
      await fragment(cluster, 10)
      await withFolder(async folder => {
        const [local, ...others] = cluster.members
        assert.ok(local)
        for (const member of others) await cluster.kill(member)
        await untilLeaderless(cluster, local)
        const job = [
          ...cluster.flags(local),
          '--no-trim',
          '--backup-path',
          join(folder, 'b.xz'),
          '--output',
          'json',
        ]
        const report = documentOf(await etcdDefrag([...job, '--force-unhealthy', '--command-timeout', '1s']))
        assert.deepEqual(
          report.steps.map((s: { step: string }) => s.step),
          ['defragment', 'snapshot'],
          JSON.stringify(report),
        )
        assert.equal(report.verdict, 'completed')
        assert.match(report.warnings.join(), /no quorum now/)
        assert.equal(await cluster.defragmentations(local), 1)
      })
    })

    test('NOSPACE is no reason to refuse, CORRUPT is', async () => {
      await using cluster = await Cluster.start({ suite, flags: ['--quota-backend-bytes=16777216'] })
      const client = await clientOf(cluster)
      try {
        for (let i = 0; ; i++) {
          const full = await client
            .put(`/k${i % 3}`)
            .value('x'.repeat(1_000_000))
            .then(
              () => false,
              error => /space exceeded/.test(String(error)),
            )
          if (full) break
          assert.ok(i < 100, 'the quota is never reached')
        }
        const leader = await cluster.leader()
        // Nothing was compacted, so that the file may stay above its quota; noSpace.test.ts has the rescue.
        const job = [...cluster.flags(leader), '--no-trim', '--no-backup', '--no-disarm', '--output', 'json']
        const status = documentOf(await etcdDefrag(['status', ...cluster.flags(leader), '--output', 'json']))
        assert.match(JSON.stringify(status.members.map((m: { alarms: string[] }) => m.alarms)), /NOSPACE/)
        const report = documentOf(await etcdDefrag(job))
        assert.equal(report.verdict, 'completed', JSON.stringify(report))
        assert.deepEqual(await Promise.all(cluster.members.map(m => cluster.defragmentations(m))), [1, 1, 1])

        const [first] = await cluster.status()
        assert.ok(first)
        const { members } = await client.cluster.memberList({})
        await client.maintenance.alarm({
          action: AlarmAction.Activate,
          memberID: members[0]?.ID ?? '',
          alarm: AlarmType.Corrupt,
        })
        const ended = await etcdDefrag([
          ...cluster.flags(await cluster.leader()),
          '--no-trim',
          '--no-backup',
          '--output',
          'json',
        ])
        assert.equal(ended.code, 69)
        assert.match(documentOf(ended).reason, /CORRUPT/)
        assert.deepEqual(await Promise.all(cluster.members.map(m => cluster.defragmentations(m))), [1, 1, 1])
      } finally {
        client.close()
      }
    })

    test('a learner is left alone and reported', async () => {
      await using cluster = await Cluster.start({ suite })
      const learner = await cluster.addLearner('learner')
      const leader = await cluster.leader()
      const job = [...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json']
      const report = documentOf(await etcdDefrag(job))
      assert.equal(report.verdict, 'completed', JSON.stringify(report))
      assert.deepEqual(
        report.leftAlone.map((l: { name: string; because: string }) => [l.name, /learner/.test(l.because)]),
        [['learner', true]],
      )
      assert.equal(await cluster.defragmentations(learner), 0)
      const status = await etcdDefrag(['status', ...cluster.flags(leader)])
      assert.match(status.stdout, /3 voting members and 1 learning/)
      assert.equal(status.code, 0, status.stdout)
    })
  })

const untilLeaderless = (cluster: Cluster, member: LabMember): Promise<void> =>
  until(
    `${member.name} sees no leader`,
    async () => ((await cluster.status([member]))[0]?.Status.leader ?? 0) === 0,
  )

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-flags-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
