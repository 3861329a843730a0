import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Cluster, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { isRoot, LoopDevice } from '../lab/loopDevice.js'
import { restore } from '../lab/restore.js'

const kinds = (report: { steps: { step: string }[] }) => report.steps.map(step => step.step)

describe('ways to a member', { timeout: 120_000 }, () => {
  test('its client URLs are tried in turn', async () => {
    await using cluster = await Cluster.start({ advertise: url => `https://127.0.0.1:1,${url}` })
    const leader = await cluster.leader()
    const ended = await etcdDefrag([...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json'])
    assert.equal(documentOf(ended).verdict, 'completed', ended.stdout)
    for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 1)
  })

  test('a URL behind which another member answers is no way to it: nothing is run', async () => {
    let first = ''
    await using cluster = await Cluster.start({
      tls: false,
      advertise: (url, position) => {
        if (position === 0) first = url
        return first
      },
    })
    const leader = await cluster.leader()
    const ended = await etcdDefrag([
      ...cluster.flags(leader),
      '--no-trim',
      '--no-backup',
      '--force-nonleader',
      '--output',
      'json',
    ])
    assert.equal(ended.code, 69, ended.stdout)
    assert.match(documentOf(ended).reason, /another member answers there/)
    for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 0)
  })

  test('more endpoints than the first one show the members when their own URLs do not', async () => {
    await using cluster = await Cluster.start({ tls: false, advertise: () => 'http://127.0.0.1:1' })
    const leader = await cluster.leader()
    const urls = [leader, ...(await cluster.followers())].map(m => m.clientUrl).join(',')
    const ended = await etcdDefrag(['--endpoints', urls, '--no-trim', '--no-backup', '--output', 'json'])
    assert.equal(documentOf(ended).verdict, 'completed', ended.stdout)
    for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 1)
  })

  test('IPv6 works from member list to backup', async () => {
    await using cluster = await Cluster.start({ host: '[::1]' })
    const leader = await cluster.leader()
    const ended = await etcdDefrag([...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json'])
    assert.equal(documentOf(ended).verdict, 'completed', ended.stdout)
  })
})

describe('a run that is disturbed', { timeout: 120_000 }, () => {
  test('a member that does not come back stops the run: no other is touched, and it is named', async () => {
    await using cluster = await Cluster.start()
    await fragment(cluster, 60)
    const leader = await cluster.leader()
    const job = [...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json']
    const times = ['--defrag-timeout', '1s', '--settle-timeout', '3s', '--command-timeout', '1s']
    const running = start([...job, ...times])
    await running.said(/"event":"stepStarted"/)
    const frozen = cluster.members.find(m => running.stderr().includes(`"name":"${m.name}"`))
    assert.ok(frozen)
    frozen.process?.kill('SIGSTOP')
    const report = documentOf(await running.ended)
    const others = cluster.members.filter(m => m !== frozen)
    const counts = await Promise.all(others.map(m => cluster.defragmentations(m)))
    frozen.process?.kill('SIGCONT')
    assert.equal(report.exitCode, 76, JSON.stringify(report))
    assert.match(report.reason, new RegExp(`member ${frozen.name}`))
    assert.deepEqual([counts, kinds(report)], [[0, 0], ['defragment']])
    await until(
      `${frozen.name} is back`,
      async () => (await etcdDefrag(['status', ...cluster.flags(leader)])).code === 0,
    )
    // Started again, it does the whole job.
    assert.equal(documentOf(await etcdDefrag(job)).verdict, 'completed')
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    test(`${signal} in mid-backup leaves the previous backup and nothing else, exit code 75`, async () => {
      await using cluster = await Cluster.start({ size: 1, tls: false })
      await fragment(cluster, 60)
      const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-signal-'))
      try {
        const path = join(folder, 'etcd-backup.xz')
        await writeFile(path, 'the last good backup')
        const [only] = cluster.members
        assert.ok(only)
        const running = start([
          ...cluster.flags(only),
          '--force-single',
          '--no-trim',
          '--backup-path',
          path,
          '--output',
          'json',
        ])
        await running.said(/"event":"stepStarted","step":"snapshot"/)
        running.kill(signal)
        const ended = await running.ended
        const report = documentOf(ended)
        assert.deepEqual([ended.code, report.fault], [75, { kind: 'interrupted', by: signal }])
        assert.deepEqual(await readdir(folder), ['etcd-backup.xz'])
        assert.equal(await readFile(path, 'utf8'), 'the last good backup')
      } finally {
        await rm(folder, { recursive: true })
      }
    })

  test('SIGTERM in mid-defragmentation waits for it, and no other member is touched', async () => {
    await using cluster = await Cluster.start()
    await fragment(cluster, 60)
    const leader = await cluster.leader()
    const running = start([...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json'])
    await running.said(/"event":"stepStarted","step":"defragment"/)
    running.kill('SIGTERM')
    const report = documentOf(await running.ended)
    assert.equal(report.exitCode, 75)
    const counts = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
    assert.deepEqual(counts.toSorted(), [0, 0, 1])
    assert.deepEqual(
      report.steps.map((s: { outcome: string }) => s.outcome),
      ['done'],
    )
  })
})

test('200 MB on three members: all smaller, one change of leadership, a verified backup, a trim that shrinks the disk', {
  timeout: 180_000,
  skip: isRoot ? false : 'the trim takes a loop device, and that takes root',
}, async () => {
  await using disk = await LoopDevice.create(1024)
  const dataDir = join(disk.mountPoint, 'etcd')
  await using cluster = await Cluster.start({ dataDirs: [dataDir] })
  const kept = await fragment(cluster, 200)
  const [local] = cluster.members
  assert.ok(local)
  if ((await cluster.leader()) !== local) await cluster.moveLeader(local)
  const elections = await Promise.all(
    cluster.members.map(m => cluster.metric(m, 'etcd_server_leader_changes_seen_total')),
  )
  const before = await disk.allocated()
  const path = join(cluster.folder, 'etcd-backup.xz')
  const ended = await etcdDefrag([
    ...cluster.flags(local),
    '--data-dir',
    dataDir,
    '--backup-path',
    path,
    '--output',
    'json',
  ])
  const report = documentOf(ended)
  assert.equal(report.verdict, 'completed', ended.stdout)
  assert.deepEqual(kinds(report), [
    'defragment',
    'defragment',
    'moveLeader',
    'defragment',
    'snapshot',
    'trim',
  ])
  assert.ok(report.reclaimedBytes > 500e6, `${report.reclaimedBytes} bytes reclaimed`)
  for (const { Status } of await cluster.status())
    assert.ok(Status.dbSize < 30e6, `${Status.dbSize} bytes left`)
  for (const [i, member] of cluster.members.entries())
    assert.equal(
      await cluster.metric(member, 'etcd_server_leader_changes_seen_total'),
      (elections[i] ?? 0) + 1,
    )
  const freed = before - (await disk.allocated())
  assert.ok(freed > 180e6, `the trim gave ${freed} bytes back to the disk`)
  assert.deepEqual((await restore(path, cluster.suite, '/registry/')).keys, kept)
})
