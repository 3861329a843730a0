import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from '../lab/archives.js'
import { Cluster, type LabMember } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { restore } from '../lab/restore.js'
import { execute } from '../unit/fixtures.js'

describe('backup create', { timeout: 180_000 }, () => {
  let cluster: Cluster
  let folder: string
  let kept: Map<string, string>
  before(async () => {
    cluster = await Cluster.start({ size: 3 })
    kept = await fragment(cluster, 5)
    folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-create-'))
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  const path = () => join(folder, 'etcd-backup.xz')
  const create = (member: LabMember, ...more: string[]) =>
    etcdDefrag(['backup', 'create', ...cluster.flags(member), '--backup-path', path(), ...more])
  const report = async (member: LabMember, ...more: string[]) =>
    documentOf(await create(member, ...more, '--output', 'json'))
  const list = async (...more: string[]) => etcdDefrag(['backup', 'list', '--backup-path', path(), ...more])
  const untouched = async () =>
    assert.deepEqual(
      (await cluster.history()).filter(({ what }) => what === 'defragment'),
      [],
    )

  test('backs up the member behind the first endpoint, leader or not, and defragments nothing', async () => {
    const leader = await cluster.leader()
    const [follower] = await cluster.followers()
    assert.ok(follower)
    for (const member of [leader, follower]) {
      const { verdict, steps, cluster: _, ...rest } = await report(member)
      assert.equal(verdict, 'completed', JSON.stringify(rest))
      assert.deepEqual(
        steps.map(({ step, outcome }: { step: string; outcome: string }) => [step, outcome]),
        [['snapshot', 'done']],
      )
      assert.equal(steps[0].member.name, member.name)
      const { revision, bytes, sha256 } = await inspect(path(), cluster.suite)
      const { result } = steps[0]
      assert.deepEqual([result.revision, result.archiveBytes, result.sha256], [revision, bytes, sha256])
    }
    assert.equal((await cluster.leader()).name, leader.name)
    await untouched()
  })

  test('writes a provenance that tells the cluster as etcd does', async () => {
    const leader = await cluster.leader()
    await report(leader)
    const { archives } = documentOf(await list('--output', 'json'))
    const [{ provenance }] = archives
    const members = JSON.parse(await cluster.etcdctl(['member', 'list', '-w', 'json'], [leader])) as {
      header: { cluster_id: number }
      members: readonly { name: string; peerURLs: string[]; clientURLs: string[] }[]
    }
    const sorted = <T extends { name: string }>(list: readonly T[]) =>
      [...list].sort((a, b) => (a.name < b.name ? -1 : 1))
    assert.deepEqual(
      sorted(
        provenance.cluster.members as readonly { name: string; peerUrls: string[]; clientUrls: string[] }[],
      ).map(({ name, peerUrls, clientUrls }) => [name, peerUrls, clientUrls]),
      sorted(members.members).map(({ name, peerURLs, clientURLs }) => [name, peerURLs, clientURLs]),
    )
    assert.equal(
      BigInt(`0x${provenance.cluster.id}`).toString().slice(0, 12),
      String(members.header.cluster_id).slice(0, 12),
    )
    const [{ Status }] = (await cluster.status([leader])) as [Awaited<ReturnType<Cluster['status']>>[number]]
    assert.equal(provenance.member.name, leader.name)
    assert.equal(provenance.member.etcdVersion, Status.version)
    assert.equal(provenance.revision, (await inspect(path(), cluster.suite)).revision)
  })

  test('is accepted by xz on all cores, by 7-Zip and, decoded, by etcdutl', async () => {
    await report(await cluster.leader())
    const { sha256 } = await inspect(path(), cluster.suite)
    await execute('xz', ['-T0', '-t', path()])
    await execute('7zz', ['t', path()])
    for (const [program, ...args] of [
      ['xz', '-T0', '-dc'],
      ['7zz', 'x', '-so'],
    ] as const) {
      const { stdout } = await execute(program, [...args, path()], { encoding: 'buffer', maxBuffer: 2 ** 30 })
      assert.equal(stdout.subarray(-32).toString('hex'), sha256, program)
      assert.equal(createHash('sha256').update(stdout.subarray(0, -32)).digest('hex'), sha256, program)
    }
  })

  test('can be restored', async () => {
    await report(await cluster.leader())
    const { keys } = await restore(path(), cluster.suite, '/registry/')
    assert.deepEqual([...keys].sort(), [...kept].sort())
  })

  test('keeps earlier ones, which list shows with their revisions', async () => {
    await rm(folder, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-create-'))
    const leader = await cluster.leader()
    for (let i = 0; i < 4; i++) {
      await cluster.etcdctl(['put', 'counter', String(i)], [leader])
      await report(leader, '--backup-keep', '3')
    }
    const ended = await list('--output', 'json')
    assert.equal(ended.code, 0, ended.stderr)
    const { archives } = documentOf(ended)
    const revisions = archives.map(({ revision }: { revision: number }) => revision)
    assert.equal(archives.length, 3)
    assert.ok(revisions[0] > revisions[1] && revisions[1] > revisions[2], revisions.join())
    const { stdout } = await list()
    assert.match(stdout, /ARCHIVE +AGE +TAKEN +REVISION +KEYS +DATABASE +SIZE +STATE/)
    assert.equal(stdout.match(/verifies/g)?.length, 3)
    assert.equal((await readdir(folder)).length, 6)
  })

  test('is held off by a pause and by a member that does not answer, unless told otherwise', async () => {
    const leader = await cluster.leader()
    const pause = (verb: string) => etcdDefrag([verb, ...cluster.flags(leader)])
    await pause('pause')
    const paused = await report(leader)
    assert.deepEqual([paused.exitCode, paused.fault.check], [69, 'paused'])
    await pause('resume')
    const [follower] = await cluster.followers()
    assert.ok(follower)
    await cluster.kill(follower)
    assert.equal((await create(leader)).code, 69)
    assert.equal((await report(leader, '--force-unhealthy')).verdict, 'completed')
    await cluster.restart(follower)
    await untouched()
  })

  test('keeps the backup of a cluster that has been wiped since, beside that of the empty one', async () => {
    const leader = await cluster.leader()
    await report(leader)
    await using empty = await Cluster.start({ size: 1, tls: false })
    const [member] = empty.members
    assert.ok(member)
    const ended = documentOf(
      await etcdDefrag([
        ...['backup', 'create', ...empty.flags(member), '--backup-path', path()],
        ...['--no-coordination', '--output', 'json'],
      ]),
    )
    assert.deepEqual([ended.exitCode, ended.steps[0].result.revision], [0, 1], 'nobody has written to it')
    assert.match(
      ended.warnings.join(),
      /of cluster \w+, the previous one of \w+: the previous backup is kept as/,
    )
    const { archives } = documentOf(await list('--output', 'json'))
    assert.deepEqual(
      archives
        .slice(0, 2)
        .map(
          (one: { provenance: { cluster: { members: object[] } } }) => one.provenance.cluster.members.length,
        ),
      [1, 3],
    )
  })

  test('leaves the cores to others once the snapshot is there, and its main thread, which keeps the lock, as it is', async () => {
    const running = start([
      'backup',
      'create',
      ...cluster.flags(await cluster.leader()),
      '--backup-path',
      path(),
    ])
    const seen = new Map<string, Set<number>>([
      ['main', new Set()],
      ['spooling', new Set()],
      ['compressing', new Set()],
    ])
    let isOver = false
    const ended = running.ended.finally(() => {
      isOver = true
    })
    while (!isOver) {
      const names = await readdir(folder)
      const partial = names.find(name => name.endsWith('.partial'))
      const spool = names.some(name => name.endsWith('.spool'))
      const written =
        partial === undefined ? 0 : (await stat(join(folder, partial)).catch(() => undefined))?.size
      for (const [thread, nice] of await niceness(running.pid)) {
        if (thread === String(running.pid)) seen.get('main')?.add(nice)
        else if (spool && written === 0) seen.get('spooling')?.add(nice)
        else if (written !== undefined && written > 0) seen.get('compressing')?.add(nice)
      }
      await sleep(2)
    }
    assert.equal((await ended).code, 0)
    const own = getPriority()
    assert.deepEqual([...(seen.get('main') ?? [])], [own])
    assert.ok(seen.get('spooling')?.has(own), 'never seen while it received')
    assert.deepEqual([...(seen.get('compressing') ?? [])], [Math.min(19, own + 10)])
  })

  test('puts its session behind others too, where that is its own', async t => {
    const autogroup = (pid: number | string) => readFile(`/proc/${pid}/autogroup`, 'utf8').catch(() => '')
    const before = await autogroup('self')
    if (before === '') return t.skip('a kernel without autogroups')
    const running = start(
      ['backup', 'create', ...cluster.flags(await cluster.leader()), '--backup-path', path()],
      { through: ['setsid'] },
    )
    const seen = new Set<string>()
    let isOver = false
    const ended = running.ended.finally(() => {
      isOver = true
    })
    while (!isOver) {
      const [, nice] = / nice (\d+)\n$/.exec(await autogroup(running.pid)) ?? []
      if (nice !== undefined) seen.add(nice)
      await sleep(2)
    }
    assert.equal((await ended).code, 0)
    // It begins at 0, whatever its starter's.
    assert.deepEqual([...seen], ['0', String(Math.min(19, getPriority() + 10))])
    assert.equal(await autogroup('self'), before)
  })

  test('does not make the nightly run needless', async () => {
    const leader = await cluster.leader()
    assert.equal((await report(leader)).verdict, 'completed')
    const nightly = [
      'plan',
      ...cluster.flags(leader),
      '--backup-path',
      path(),
      '--min-interval',
      '1h',
      '--no-trim',
    ]
    const { steps } = documentOf(await etcdDefrag([...nightly, '--output', 'json']))
    assert.equal(steps.length, 5)
  })

  test('has nothing to do with --no-backup, and says so', async () => {
    const { code, stderr } = await create(await cluster.leader(), '--no-backup')
    assert.deepEqual([code, stderr], [78, 'etcd-defrag: --no-backup: leaves nothing to do\n'])
  })
})

/** The nice value of each thread (proc_pid_stat(5), field 19). */
async function niceness(pid: number): Promise<readonly (readonly [string, number])[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const stats = threads.map(async thread => {
    const text = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '')
    return [thread, Number(text.slice(text.lastIndexOf(')')).split(' ')[17] ?? Number.NaN)] as const
  })
  return (await Promise.all(stats)).filter(([, nice]) => !Number.isNaN(nice))
}

describe('backup list', () => {
  test('tells an empty folder, a damaged archive and one of another tool', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-list-'))
    await using cluster = await Cluster.start({ size: 1, tls: false })
    const [member] = cluster.members
    assert.ok(member)
    try {
      const path = join(folder, 'b.xz')
      const flags = [...cluster.flags(member), '--backup-path', path, '--backup-keep', '2']
      const list = () => etcdDefrag(['backup', 'list', '--backup-path', path])
      assert.deepEqual(
        [(await list()).code, (await list()).stdout],
        [65, `there is no backup at ${path}; write one with etcd-defrag backup create\n`],
      )
      for (let i = 0; i < 2; i++) assert.equal((await etcdDefrag(['backup', 'create', ...flags])).code, 0)
      assert.equal((await list()).code, 0)
      await rm(`${path}.json`)
      const alone = await list()
      assert.equal(alone.code, 0)
      assert.match(alone.stdout, /b\.xz: no provenance beside it, so it was read and walked now/)
      const { truncate } = await import('node:fs/promises')
      await truncate(path, 600)
      const cut = await list()
      assert.equal(cut.code, 65)
      assert.match(cut.stdout, /b\.xz .* damaged\n(?:.*\n)*b-\d+T\d+Z\.xz .* verifies\n/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
