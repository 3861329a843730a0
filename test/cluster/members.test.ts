import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { AlarmAction, AlarmType } from 'etcd3'
import { moveLeader } from '../../src/act/moveLeader.js'
import type { World } from '../../src/model/world.js'
import { EtcdCluster } from '../../src/system/etcd/etcd.js'
import { loadTls } from '../../src/system/etcd/tls.js'
import { Cluster, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'
import { isRoot, LoopDevice } from '../lab/loopDevice.js'
import { restore } from '../lab/restore.js'

const run = promisify(execFile)
const kinds = (report: { steps: { step: string }[] }) => report.steps.map(step => step.step)

test('leadership that moved since the last look is nothing against the candidate: etcd is not asked, none is left out', async () => {
  await using cluster = await Cluster.start({ tls: false })
  const [member] = await cluster.followers()
  const none = { cacert: undefined, cert: undefined, key: undefined, serverName: undefined }
  const etcd = new EtcdCluster({
    endpoints: [(await cluster.leader()).clientUrl],
    tls: await loadTls({ ...none, skipVerify: false }, name => name),
    user: undefined,
    dialTimeoutMs: 2_000,
    commandTimeoutMs: 5_000,
    defragTimeoutMs: 60_000,
  })
  try {
    const view = await etcd.observe(new AbortController().signal)
    const follower = view.members.find(({ member: { name } }) => name === member?.name)?.member
    const other = view.members.find(one => one.member !== follower)?.member
    assert.ok(follower !== undefined && other !== undefined)
    const step = { kind: 'moveLeader', from: follower, candidates: [other] } as const
    const world = { etcd, random: () => 0 } as unknown as World
    const outcome = await moveLeader(step, { world, view, stop: new AbortController().signal })
    assert.ok(outcome.kind === 'failed' && outcome.fault.kind === 'etcd')
    assert.match(outcome.fault.problem, /it is not leader any more/)
    assert.deepEqual([outcome.transferee, outcome.fault.mayHaveRun], [undefined, false])
  } finally {
    etcd.close()
  }
})

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
    const frozen = cluster.members.find(m => running.stderr().includes(`"name":"${m.name}"`))
    frozen?.process?.kill('SIGSTOP') // so that the signal truly comes in the middle
    running.kill('SIGTERM')
    await running.said(/"event":"interrupting"/)
    frozen?.process?.kill('SIGCONT')
    const report = documentOf(await running.ended)
    assert.equal(report.exitCode, 75)
    const counts = await Promise.all(cluster.members.map(m => cluster.defragmentations(m)))
    assert.deepEqual(counts.toSorted(), [0, 0, 1])
    assert.deepEqual(
      report.steps.map((s: { outcome: string }) => s.outcome),
      ['done'],
    )
  })

  test('a member that dies in its defragmentation ends the defragmenting: the others are not put to the same test', async () => {
    await using cluster = await Cluster.start()
    await fragment(cluster, 60)
    const leader = await cluster.leader()
    const path = join(cluster.folder, 'etcd-backup.xz')
    const running = start([...cluster.flags(leader), '--no-trim', '--backup-path', path, '--output', 'json'])
    await running.said(/"event":"stepStarted","step":"defragment"/)
    const dying = cluster.members.find(m => running.stderr().includes(`"name":"${m.name}"`))
    assert.ok(dying)
    dying.process?.kill('SIGSTOP')
    await cluster.kill(dying)
    await cluster.restart(dying)
    const report = documentOf(await running.ended)
    assert.equal(report.exitCode, 76, JSON.stringify(report))
    assert.match(report.reason, new RegExp(`member ${dying.name}`))
    assert.deepEqual(
      kinds(report),
      ['defragment', 'snapshot'],
      'the cluster is whole again, so a backup is taken',
    )
    for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 0)
    assert.deepEqual([await cluster.leader(), report.leftAlone], [leader, []])
  })

  test('a log that cannot be written ends nothing and takes nothing from the report', async () => {
    await using cluster = await Cluster.start()
    const leader = await cluster.leader()
    const job = [...cluster.flags(leader), '--no-trim', '--no-backup', '--output', 'json']
    const ended = await etcdDefrag(job, { through: ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh'] })
    assert.deepEqual([ended.code, kinds(documentOf(ended)).length], [0, 4])
  })
})

describe('what is no work for a run', { timeout: 120_000 }, () => {
  test('endpoints of two clusters: nothing is run in either', async () => {
    await using one = await Cluster.start({ tls: false })
    await using other = await Cluster.start({ tls: false, size: 1 })
    const urls = [await one.leader(), ...other.members].map(m => m.clientUrl).join(',')
    const ended = await etcdDefrag(['--endpoints', urls, '--no-trim', '--no-backup', '--output', 'json'])
    assert.equal(ended.code, 69)
    assert.match(documentOf(ended).reason, /--endpoints names more than one cluster/)
    for (const member of one.members) assert.equal(await one.defragmentations(member), 0)
    for (const member of other.members) assert.equal(await other.defragmentations(member), 0)
  })

  test('a backup of a member with a CORRUPT alarm: the last good one stays, exit code 73', async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    const [only] = cluster.members
    assert.ok(only)
    const client = await clientOf(cluster)
    const { members } = await client.cluster.memberList({})
    const memberID = members[0]?.ID ?? ''
    await client.maintenance.alarm({ action: AlarmAction.Activate, memberID, alarm: AlarmType.Corrupt })
    client.close()
    const path = join(cluster.folder, 'etcd-backup.xz')
    await writeFile(path, 'the last good backup')
    const forced = ['--force-single', '--force-unhealthy', '--no-trim', '--backup-path', path]
    const ended = await etcdDefrag([...cluster.flags(only), ...forced, '--output', 'json'])
    assert.equal(ended.code, 73, ended.stdout)
    assert.match(documentOf(ended).reason, /CORRUPT/)
    assert.equal(await readFile(path, 'utf8'), 'the last good backup')
  })

  test('a backup path that cannot be: nothing is touched, exit code 73', async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    const [only] = cluster.members
    assert.ok(only)
    for (const path of [cluster.folder, join(cluster.folder, 'no/such/folder/b.xz')]) {
      const job: readonly string[] = [
        ...cluster.flags(only),
        '--force-single',
        '--no-trim',
        '--backup-path',
        path,
      ]
      assert.equal((await etcdDefrag(job)).code, 73)
    }
    assert.equal(await cluster.defragmentations(only), 0)
  })
})

test('a disk without room for the copy: nothing is run until there is room, or --force-disk', {
  timeout: 120_000,
  skip: isRoot ? false : 'it takes a loop device, and that takes root',
}, async () => {
  await using disk = await LoopDevice.create(400)
  const dataDir = join(disk.mountPoint, 'etcd')
  await using cluster = await Cluster.start({ size: 1, tls: false, dataDirs: [dataDir] })
  const [only] = cluster.members
  assert.ok(only)
  const filler = join(disk.mountPoint, 'filler')
  const { bavail, bsize } = await statfs(disk.mountPoint)
  await run('fallocate', ['-l', String(bavail * bsize - 30e6), filler])
  const job = [...cluster.flags(only), '--force-single', '--no-trim', '--no-backup', '--data-dir', dataDir]
  for (const command of ['plan', 'run']) {
    const ended = await etcdDefrag([command, ...job, '--output', 'json'])
    assert.deepEqual([ended.code, documentOf(ended).fault.check], [69, 'disk'])
    assert.match(documentOf(ended).reason, /--force-disk/)
  }
  assert.equal(await cluster.defragmentations(only), 0)
  assert.equal((await etcdDefrag([...job, '--force-disk'])).code, 0)
  await rm(filler)
  assert.equal((await etcdDefrag(job)).code, 0)
  assert.equal(await cluster.defragmentations(only), 2)
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
