import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, type LabMember, until } from '../lab/cluster.js'
import { documentOf, type Ended, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { Node, noNode } from '../lab/node.js'

const skip = noNode()
const brief = ({ verdict, check, exitCode }: { verdict: string; check?: string; exitCode: number }) =>
  [exitCode, verdict, ...(check === undefined ? [] : [check])].join(' ')
const job = ['--no-trim', '--no-backup', '--output', 'json']
/** A computer with a /run of its own, so that the lock of the host keeps nobody else away. */
const otherHost = () => Node.create({ '/run/own': '' })
const keys = async (cluster: Cluster, prefix = '/etcd-defrag'): Promise<readonly string[]> =>
  (await cluster.etcdctl(['get', '--prefix', prefix, '--keys-only'])).split('\n').filter(line => line !== '')
const leases = async (cluster: Cluster, at?: readonly LabMember[]): Promise<readonly string[]> =>
  (await cluster.etcdctl(['lease', 'list'], at)).split('\n').filter(line => /^[0-9a-f]{4,}$/.test(line))
/** Holds a member still in the middle of its defragmentation, so that the run is truly at it meanwhile. */
async function hold(cluster: Cluster, running: { said(pattern: RegExp): Promise<void>; stderr(): string }) {
  await running.said(/"event":"stepStarted","step":"defragment"/)
  const member = cluster.members.find(m => running.stderr().includes(`"name":"${m.name}"`))
  assert.ok(member)
  member.process?.kill('SIGSTOP')
  return member
}

describe('runs at one cluster from several hosts', { timeout: 300_000, skip }, () => {
  test('three that start together do the job once, and one that is late finds it done', async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 30)
    const nodes = await Promise.all(cluster.members.map(otherHost))
    try {
      const run = (member: LabMember, i: number) =>
        nodes[i]?.etcdDefrag([...cluster.flags(member), ...job, '--min-interval', '1h']) as Promise<Ended>
      const ends = (await Promise.all(cluster.members.map(run))).map(documentOf)
      assert.deepEqual(ends.map(brief).filter(end => end === '0 completed').length, 1, ends.map(brief).join())
      for (const end of ends) assert.equal(end.exitCode, 0)
      // Leadership has moved: to the node of the new leader the work would look undone.
      const leader = await cluster.leader()
      const late = documentOf(await run(leader, cluster.members.indexOf(leader)))
      assert.equal(brief(late), '0 skipped minInterval')
      assert.match(late.reason, /^the last run completed \d+ s ago on \S+, at 20\S+Z; .*--min-interval 0s/)
      for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 1)
      assert.deepEqual(await keys(cluster), ['/etcd-defrag/last-run'])
      assert.deepEqual(await leases(cluster), [])
    } finally {
      for (const node of nodes) await node[Symbol.asyncDispose]()
    }
  })

  test('a second one leaves at once and names the first, or waits for it', async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 30)
    await using elsewhere = await otherHost()
    const flags = [...cluster.flags(await cluster.leader()), ...job, '--force-nonleader']
    const first = start(flags)
    const member = await hold(cluster, first)
    const more = ['--force-unhealthy', '--command-timeout', '1s']
    const second = documentOf(await elsewhere.etcdDefrag([...flags, ...more]))
    assert.equal(brief(second), '0 skipped oneRunner')
    assert.match(
      second.reason,
      new RegExp(`^another run, process ${first.pid} on host \\S+, is at this cluster`),
    )
    const third = elsewhere.etcdDefrag([...flags, ...more, '--wait', '1m', '--min-interval', '1h'])
    member.process?.kill('SIGCONT')
    assert.equal(documentOf(await first.ended).verdict, 'completed')
    assert.equal(brief(documentOf(await third)), '0 skipped minInterval')
    for (const one of cluster.members) assert.equal(await cluster.defragmentations(one), 1)
  })

  test('a run that loses its lock in the middle of a step begins no other', async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 30)
    for (const [how, lose] of [
      [
        'its key is gone',
        (lease: string, at: readonly LabMember[]) => cluster.etcdctl(['lease', 'revoke', lease], at),
      ],
      [
        'process 1 on host n9 has it now',
        (_: string, at: readonly LabMember[]) =>
          cluster.etcdctl(['put', '/etcd-defrag/lock', '{"by":"process 1 on host n9"}'], at),
      ],
    ] as const) {
      const before = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
      const run = start([...cluster.flags(await cluster.leader()), ...job])
      const member = await hold(cluster, run)
      const healthy = cluster.members.filter(m => m !== member)
      const [lease = ''] = await leases(cluster, healthy)
      await lose(lease, healthy)
      await run.said(/"event":"interrupting"/) // at once, and not only when the step has ended
      member.process?.kill('SIGCONT')
      const report = documentOf(await run.ended)
      assert.equal(brief(report), '75 failed')
      assert.equal(report.reason, `interrupted by the loss of the lock in etcd (${how})`)
      assert.equal(report.steps.length, 1)
      const now = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
      assert.equal(sum(now) - sum(before), 1)
      await cluster.etcdctl(['del', '--prefix', '/etcd-defrag'])
      assert.deepEqual(await leases(cluster), [])
    }
  })

  test('a run that was stopped until its lease was over finds another in its place, and begins no other step', async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 30)
    await using elsewhere = await otherHost()
    const sleeper = start([...cluster.flags(await cluster.leader()), ...job, '--pause', '1s'])
    await sleeper.said(/"event":"stepEnded"/)
    sleeper.kill('SIGSTOP')
    // Its one step is done, and nothing tells the other that it lives but the lock, which goes after 15 s.
    const other = elsewhere.start([
      ...cluster.flags(await cluster.leader()),
      ...job,
      '--wait',
      '1m',
      '--pause',
      '3s',
    ])
    await other.said(/"event":"stepStarted"/)
    sleeper.kill('SIGCONT')
    const woken = documentOf(await sleeper.ended)
    assert.equal(brief(woken), '75 failed')
    assert.match(
      woken.reason,
      /^interrupted by the loss of the lock in etcd \(process \d+ on host \S+ has it now\)$/,
    )
    assert.equal(woken.steps.length, 1)
    assert.equal(brief(documentOf(await other.ended)), '0 completed')
    const counts = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
    assert.equal(sum(counts), 4)
    assert.deepEqual(await keys(cluster), ['/etcd-defrag/last-run'])
  })

  test('the only voter renews no lease while it is out, and its run keeps the lock all the same', async () => {
    await using cluster = await Cluster.start({ tls: false, size: 1 })
    await fragment(cluster, 20)
    const [only] = cluster.members
    assert.ok(only)
    const running = start([...cluster.flags(only), ...job, '--force-single', '--settle-timeout', '1m'])
    const member = await hold(cluster, running)
    await sleep(17_000)
    member.process?.kill('SIGCONT')
    assert.equal(brief(documentOf(await running.ended)), '0 completed')
    assert.deepEqual(await keys(cluster), ['/etcd-defrag/last-run'])
  })

  test("a run that was killed holds up no other of its host, and another host's until its lease is over", async () => {
    await using cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 30)
    await using elsewhere = await otherHost()
    const flags = [...cluster.flags(await cluster.leader()), ...job, '--force-nonleader']
    const kill = async () => {
      const killed = start(flags)
      await killed.said(/"event":"stepStarted"/)
      killed.kill('SIGKILL')
      await killed.ended
      await until('nothing is under way', async () => {
        const counts = await Promise.all(
          cluster.members.map(m => cluster.metric(m, 'etcd_disk_defrag_inflight')),
        )
        return sum(counts) === 0
      })
    }
    await kill()
    assert.deepEqual(await keys(cluster), ['/etcd-defrag/lock'])
    assert.equal(brief(documentOf(await etcdDefrag(flags))), '0 completed')
    await kill()
    assert.equal(brief(documentOf(await elsewhere.etcdDefrag(flags))), '0 skipped oneRunner')
    const patient = documentOf(await elsewhere.etcdDefrag([...flags, '--wait', '1m']))
    assert.equal(brief(patient), '0 completed')
    assert.ok(patient.tookMs < 30_000)
    assert.deepEqual(await keys(cluster), ['/etcd-defrag/last-run'])
  })
})

describe('what a run leaves in etcd', { timeout: 120_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 20)
  })
  after(() => cluster[Symbol.asyncDispose]())

  test('is nothing with --no-coordination', async () => {
    const ended = await etcdDefrag([...cluster.flags(await cluster.leader()), ...job, '--no-coordination'])
    assert.equal(documentOf(ended).verdict, 'completed')
    assert.doesNotMatch(documentOf(ended).warnings.join(), /lock|record/)
    assert.deepEqual(await keys(cluster), [])
  })

  test('is a record under the prefix that it is told, and the lock only while it runs', async () => {
    const run = start([
      ...cluster.flags(await cluster.leader()),
      ...job,
      '--coordination-prefix',
      '/ops/lean',
    ])
    const member = await hold(cluster, run)
    const others = cluster.members.filter(m => m !== member)
    const [holder = ''] = (
      await cluster.etcdctl(['get', '/ops/lean/lock', '--print-value-only'], others)
    ).split('\n')
    assert.match(JSON.parse(holder).by, new RegExp(`^process ${run.pid} on host `))
    member.process?.kill('SIGCONT')
    assert.equal(documentOf(await run.ended).verdict, 'completed')
    assert.deepEqual(
      await keys(cluster, ''),
      (await keys(cluster, '/registry')).concat('/ops/lean/last-run').sort(),
    )
    const [value = ''] = (await cluster.etcdctl(['get', '/ops/lean/last-run', '--print-value-only'])).split(
      '\n',
    )
    const record = JSON.parse(value)
    assert.deepEqual([record.verdict, record.exitCode, record.paces.length], ['completed', 0, 3])
    // What it measured is what the next one expects.
    const plan = documentOf(
      await etcdDefrag([
        'plan',
        ...cluster.flags(await cluster.leader()),
        ...job,
        '--coordination-prefix',
        '/ops/lean',
      ]),
    )
    assert.equal(plan.steps[0].expectedStall.basis, 'assumed', 'so few bytes tell nothing')
  })

  test('is never under /registry', async () => {
    for (const prefix of ['/registry', '/registry/x', 'x', '/', '/x/', '/a b']) {
      const ended = await etcdDefrag([
        ...cluster.flags(await cluster.leader()),
        '--coordination-prefix',
        prefix,
      ])
      assert.equal(ended.code, 78, prefix)
      assert.match(ended.stderr, /--coordination-prefix: is .*expected a prefix/)
    }
  })

  test('that nobody can read is named; a pause among it counts all the same', async () => {
    const flags = cluster.flags(await cluster.leader())
    await cluster.etcdctl(['put', '/etcd-defrag/last-run', 'garbage'])
    const report = documentOf(await etcdDefrag([...flags, ...job]))
    assert.equal(report.verdict, 'completed')
    assert.match(report.warnings.join(), /the value of \/etcd-defrag\/last-run in etcd cannot be understood/)
    await cluster.etcdctl(['put', '/etcd-defrag/lock', 'mine'])
    const refused = documentOf(await etcdDefrag([...cluster.flags(await cluster.leader()), ...job]))
    assert.deepEqual([refused.exitCode, refused.fault.check], [69, 'oneRunner'])
    assert.match(
      refused.reason,
      /\/etcd-defrag\/lock is there and bound to no lease, .*etcdctl del \/etcd-defrag\/lock; try again/,
    )
    await cluster.etcdctl(['del', '/etcd-defrag/lock'])
    await cluster.etcdctl(['put', '/etcd-defrag/pause', 'not before monday'])
    const held = documentOf(await etcdDefrag([...cluster.flags(await cluster.leader()), ...job]))
    assert.equal(brief(held), '0 skipped paused')
    assert.equal((await etcdDefrag(['resume', ...flags])).stdout, 'the pause of the cluster is over\n')
  })
})

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0)
