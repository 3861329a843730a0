import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { archive } from '../lab/archives.js'
import { Cluster, type LabMember, programOf, type Suite, until } from '../lab/cluster.js'
import { documentOf, type Ended, etcdDefrag, start } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'
import { isRoot } from '../lab/loopDevice.js'
import { describeArchive } from '../lab/provenance.js'
import { alone, SlowRestorer } from '../lab/slowRestorer.js'
import { treeOf } from '../lab/tree.js'

const run = promisify(execFile)
const noRoot = isRoot ? false : 'it takes root'
const BUMP = 1_000_000_000

const restore = (...args: readonly string[]): Promise<Ended> => etcdDefrag(['backup', 'restore', ...args])
const is = (ended: Ended, code: number, says: RegExp): void => {
  assert.equal(ended.code, code, ended.stderr)
  assert.match(ended.stderr, says)
}

async function revisionOf(cluster: Cluster): Promise<number> {
  const [status] = await cluster.status()
  return status?.Status.header.revision ?? 0
}
const clusterIdOf = async (cluster: Cluster): Promise<string | undefined> =>
  /"cluster_id":(\d+)/.exec(await cluster.etcdctl(['endpoint', 'status', '-w', 'json']))?.[1]

async function everyKey(cluster: Cluster): Promise<Map<string, string>> {
  const client = await clientOf(cluster)
  try {
    return new Map(Object.entries(await client.getAll().strings()))
  } finally {
    client.close()
  }
}

/** All members stopped and their data gone. */
async function destroy(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.members.map(member => cluster.kill(member)))
  for (const { dataDir } of cluster.members) await rm(dataDir, { recursive: true })
}

const startAll = (cluster: Cluster): Promise<unknown> =>
  Promise.all(cluster.members.map(member => cluster.restart(member)))

for (const { suite, size, etcdutl, bumps } of [
  { suite: 'trixie', size: 3, etcdutl: programOf('trixie', 'etcdutl'), bumps: true },
  { suite: 'trixie', size: 1, etcdutl: programOf('trixie', 'etcdctl'), bumps: true },
  { suite: 'bookworm', size: 3, etcdutl: programOf('trixie', 'etcdutl'), bumps: true },
  { suite: 'bookworm', size: 1, etcdutl: programOf('bookworm', 'etcdctl'), bumps: false },
] as readonly { suite: Suite; size: number; etcdutl: string; bumps: boolean }[])
  test(`all ${size} members of Debian ${suite} are lost, and come back from the archive${bumps ? ' with the revision moved forward' : ''}`, {
    timeout: 120_000,
  }, async () => {
    await using cluster = await Cluster.start({ suite, size })
    await fragment(cluster, 10)
    const file = join(cluster.folder, 'backup.xz')
    await archive(cluster, file)
    await describeArchive(cluster, file)
    const [keys, revision, id] = [
      await everyKey(cluster),
      await revisionOf(cluster),
      await clusterIdOf(cluster),
    ]
    const client = await clientOf(cluster)
    await client.put('/registry/later').value('than the backup')
    client.close()
    await destroy(cluster)

    for (const { name, dataDir } of cluster.members) {
      const flags = ['--etcdutl', etcdutl, ...(bumps ? [] : ['--no-bump-revision'])]
      // For a single member, and for that of the archive on its host, the name is known.
      const named = name === 'm1' ? [] : ['--name', name]
      const ended = await restore(file, '--data-dir', dataDir, ...flags, ...named, '--output', 'json')
      const { verdict, oldData, member, warnings } = documentOf(ended)
      assert.deepEqual(
        [ended.code, verdict, oldData, member.name, warnings],
        [0, 'completed', null, name, []],
      )
    }
    await startAll(cluster)

    assert.deepEqual(await everyKey(cluster), keys)
    assert.notEqual(await clusterIdOf(cluster), id)
    const members = await cluster.etcdctl(['member', 'list'])
    for (const { name, peerUrl } of cluster.members)
      assert.ok(members.includes(`, ${name}, ${peerUrl}, `), members)
    const now = await revisionOf(cluster)
    if (!bumps) assert.equal(now, revision)
    else {
      // etcdutl counts from the last change that is still there, and those before a compaction may not be.
      assert.ok(now > BUMP, `revision ${now}, before ${revision}`)
      // Who watched the old cluster is told to read all anew, and misses nothing.
      const watch = ['watch', '--rev', String(revision), '/registry/', '--prefix']
      for (const call of [['get', '--rev', String(revision), '/registry/later'], watch])
        await assert.rejects(cluster.etcdctl(call), /required revision has been compacted/)
    }
    const healthy = await cluster.etcdctl(['put', '/registry/after', 'the restore'])
    assert.equal(healthy.trim(), 'OK')
    assert.deepEqual(
      (await readdir(cluster.folder)).filter(name => /restore/.test(name)),
      [],
    )
  })

describe('backup restore', { timeout: 180_000 }, () => {
  let cluster: Cluster
  let folder: string
  let file: string
  let m1: LabMember
  const etcdutl = ['--etcdutl', programOf('trixie', 'etcdutl')]
  before(async () => {
    cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 10)
    folder = await mkdtemp(join(tmpdir(), 'etcd-restored-'))
    file = join(folder, 'backup.xz')
    await archive(cluster, file)
    await describeArchive(cluster, file)
    m1 = cluster.members[0] as LabMember
    await Promise.all(cluster.members.slice(1).map(member => cluster.kill(member)))
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  /** A data directory of a stopped member, in a folder of its own. */
  const stopped = async (): Promise<string> => {
    const dir = join(await mkdtemp(join(folder, 'node-')), 'etcd')
    await run('cp', ['-a', cluster.members[1]?.dataDir ?? '', dir])
    return dir
  }
  const listOf = (dir: string) => readdir(join(dir, '..'))

  test('keeps owner and mode, and sets the old data aside as it was', { skip: noRoot }, async () => {
    const dir = await stopped()
    await run('chown', ['-R', '12345:23456', dir])
    await chmod(dir, 0o750)
    const old = await treeOf(dir)
    for (const times of [1, 2]) {
      const ended = await restore(file, '--data-dir', dir, ...etcdutl)
      assert.equal(ended.code, 0, ended.stderr)
      const asides = (await listOf(dir)).filter(name => name !== 'etcd')
      assert.equal(asides.length, times)
      for (const name of asides) assert.match(name, /^etcd\.before-restore-\d{8}T\d{6}Z(-\d)?$/)
      assert.match(ended.stdout, /^old data {2}\/.*\.before-restore-/m)
      const [first] = asides.toSorted()
      assert.deepEqual(await treeOf(join(dir, '..', first ?? '')), old)
      for (const line of await treeOf(dir)) assert.match(line, / 12345:23456 /)
      assert.equal((await stat(dir)).mode & 0o7777, 0o750)
      assert.notDeepEqual(await treeOf(dir), old)
    }
  })

  test('makes a directory that was not there for us alone, whatever the umask', async () => {
    const dir = join(await mkdtemp(join(folder, 'node-')), 'etcd')
    const through = ['sh', '-c', 'umask 000; exec "$@"', 'sh']
    const ended = await etcdDefrag(['backup', 'restore', file, '--data-dir', dir, ...etcdutl], { through })
    assert.equal(ended.code, 0, ended.stderr)
    for (const line of await treeOf(dir)) assert.match(line, / (40700|100600) /, line)
    assert.deepEqual(await listOf(dir), ['etcd'])
    assert.doesNotMatch(`${ended.stdout}${ended.stderr}`, /\/registry\//)
  })

  test('on a disk of its own, which cannot be renamed, swaps what is in it', { skip: noRoot }, async () => {
    const dir = join(await mkdtemp(join(folder, 'node-')), 'etcd')
    await mkdir(dir)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=400m,mode=0711', 'tmpfs', dir])
    try {
      await run('cp', ['-a', join(cluster.members[1]?.dataDir ?? '', 'member'), dir])
      await run('chown', ['-R', '12345:23456', join(dir, 'member')])
      const old = await treeOf(join(dir, 'member'))
      const ended = await restore(file, '--data-dir', dir, ...etcdutl)
      assert.equal(ended.code, 0, ended.stderr)
      const [member, aside, ...more] = (await readdir(dir)).toSorted()
      assert.deepEqual([member, more], ['member', []])
      assert.match(aside ?? '', /^member\.before-restore-/)
      assert.deepEqual(await treeOf(join(dir, aside ?? '')), old)
      for (const line of await treeOf(join(dir, 'member'))) assert.match(line, / 12345:23456 /)
      assert.equal((await stat(dir)).mode & 0o7777, 0o711)
      // etcd takes it with the other folder beside it.
      await using alive = await Cluster.start({
        size: 1,
        tls: false,
        dataDirs: [dir],
        flags: ['--force-new-cluster'],
      })
      assert.equal((await alive.status()).length, 1)
    } finally {
      await run('umount', [dir])
    }
  })

  test('on a disk of another user works in its own folder, whatever they put under its name', {
    skip: noRoot,
  }, async () => {
    const dir = join(await mkdtemp(join(folder, 'node-')), 'etcd')
    const victim = await mkdtemp(join(folder, 'victim-'))
    await mkdir(join(victim, 'data/member/snap'), { recursive: true })
    await writeFile(join(victim, 'data/member/snap/db'), 'of root')
    await writeFile(join(victim, 'snapshot.db'), 'of root')
    const before = await treeOf(victim)
    const meddler = join(folder, 'meddler')
    const script = `#!/bin/sh
case "$*" in *.db*) here=$(pwd -P); mv "$here" "$here-moved"; ln -s ${victim} "$here" ;; esac
exec ${programOf('trixie', 'etcdutl')} "$@"
`
    await writeFile(meddler, script, { mode: 0o755 })
    await mkdir(dir)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=400m,mode=0700,uid=12345', 'tmpfs', dir])
    try {
      const ended = await restore(file, '--data-dir', dir, '--etcdutl', meddler, '--output', 'json')
      assert.equal(ended.code, 0, ended.stderr)
      assert.match(documentOf(ended).warnings.join(), /could not be removed \(ENOTDIR\)/)
      assert.deepEqual(await treeOf(victim), before)
      for (const line of await treeOf(join(dir, 'member'))) assert.match(line, / 12345:0 /)
      const [moved = ''] = (await readdir(dir)).filter(name => name.endsWith('-moved'))
      assert.deepEqual(await readdir(join(dir, moved)), [])
    } finally {
      await run('umount', [dir])
    }
  })

  test('after one that was killed between its renames takes owner and mode from what it set aside', {
    skip: noRoot,
  }, async () => {
    const dir = await stopped()
    await run('chown', ['-R', '12345:23456', dir])
    await chmod(dir, 0o750)
    await mkdir(`${dir}.before-restore-20250101T000000Z`)
    await rename(dir, `${dir}.before-restore-20260101T000000Z`)
    const dead = join(dir, '..', '.etcd-defrag-drill.99999999-0123abcd')
    await mkdir(dead, { mode: 0o700 })
    await writeFile(join(dead, 'snapshot.db'), '')
    const ended = await restore(file, '--data-dir', dir, ...etcdutl)
    is(ended, 0, /was not there, .* owner and mode are those of .*\.before-restore-20260101T000000Z/)
    for (const line of await treeOf(dir)) assert.match(line, / 12345:23456 /)
    assert.equal((await stat(dir)).mode & 0o7777, 0o750)
    assert.ok(!existsSync(dead), 'what a drill left')
  })

  test('takes the new archive where a backup replaces it while it is read', async () => {
    const own = await mkdtemp(join(folder, 'archive-'))
    const path = join(own, 'backup.xz')
    const put = async (name: string, content: Buffer) => {
      await writeFile(join(own, 'new'), content)
      await rename(join(own, 'new'), name)
    }
    const provenance = JSON.parse(await readFile(`${file}.json`, 'utf8'))
    const other = { ...provenance, archive: { ...provenance.archive, sha256: '0'.repeat(64) } }
    // The archive of before lies beside the provenance of after, and the other way round.
    for (const isOld of [true, false]) {
      await put(path, await readFile(file))
      await put(`${path}.json`, Buffer.from(JSON.stringify(isOld ? other : provenance)))
      const dir = await stopped()
      const slow = await SlowRestorer.create(join(own, 'slow'))
      const running = start(['backup', 'restore', path, '--data-dir', dir, '--etcdutl', slow.file])
      await running.said(/verifying/)
      if (isOld) await put(`${path}.json`, Buffer.from(JSON.stringify(provenance)))
      await running.said(/restoring with/)
      await put(path, Buffer.from('another'))
      running.kill('SIGINT')
      is(await running.ended, 75, /interrupted/)
    }
  })

  test('refuses, and leaves all as it was', async t => {
    const dir = await stopped()
    const old = await treeOf(join(dir, '..'))
    const copy = async (name: string) => {
      const path = join(await mkdtemp(join(folder, 'archive-')), name)
      await copyFile(file, path)
      await copyFile(`${file}.json`, `${path}.json`)
      return path
    }
    const refuses = (what: string, code: number, says: RegExp, args: () => Promise<readonly string[]>) =>
      t.test(what, async () => {
        is(await restore(...(await args())), code, says)
        assert.deepEqual(await treeOf(join(dir, '..')), old)
      })
    await refuses('a running etcd', 69, /process \d+ \(etcd\) uses it; stop it with: kill \d+/, async () => [
      file,
      ...['--data-dir', m1.dataDir],
      ...etcdutl,
    ])
    await refuses('a program that is none of etcd’s', 69, /\/true is not etcdutl or etcdctl/, async () => [
      ...[file, '--data-dir', dir, '--etcdutl', '/bin/true'],
    ])
    await refuses(
      'a program older than the data',
      69,
      /is older than the data, which etcd 3\.5/,
      async () => [...[file, '--data-dir', dir, '--etcdutl', programOf('bookworm', 'etcdctl')]],
    )
    await refuses(
      'a program that others may write to',
      69,
      /is not run: others may write to it/,
      async () => {
        const program = join(folder, 'loose')
        await copyFile('/bin/true', program)
        await chmod(program, 0o777)
        return [file, '--data-dir', dir, '--etcdutl', program]
      },
    )
    await refuses(
      'a program that cannot move the revision',
      69,
      /go without: --no-bump-revision/,
      async () => {
        const path = await copy('old.xz')
        const text = await readFile(`${path}.json`, 'utf8')
        await writeFile(`${path}.json`, text.replace(/"etcdVersion": "[^"]*"/, '"etcdVersion": "3.4.23"'))
        return [path, '--data-dir', dir, '--etcdutl', programOf('bookworm', 'etcdctl')]
      },
    )
    await refuses('a damaged archive', 65, /damaged\.xz/, async () => {
      const path = await copy('damaged.xz')
      const content = await readFile(path)
      content.writeUInt8(content.readUInt8(content.length >> 1) ^ 1, content.length >> 1)
      await writeFile(path, content)
      return [path, '--data-dir', dir, ...etcdutl]
    })
    await refuses('no archive', 65, /nothing\.xz/, async () => [
      join(folder, 'nothing.xz'),
      '--data-dir',
      dir,
      ...etcdutl,
    ])
    await refuses('provenance of another', 65, /is [0-9a-f]{64}, and .* with 0{64}/, async () => {
      const path = await copy('other.xz')
      const text = JSON.parse(await readFile(`${path}.json`, 'utf8'))
      text.archive.sha256 = '0'.repeat(64)
      await writeFile(`${path}.json`, JSON.stringify(text))
      return [path, '--data-dir', dir, ...etcdutl]
    })
    await refuses(
      'provenance that is not understood',
      65,
      /format is 2, and this version knows 1/,
      async () => {
        const path = await copy('newer.xz')
        await writeFile(`${path}.json`, '{"format":2}')
        return [path, '--data-dir', dir, ...etcdutl]
      },
    )
    await refuses('no provenance and no flags', 78, /--initial-cluster: is needed, with --name/, async () => {
      const path = await copy('bare.xz')
      await rm(`${path}.json`)
      return [path, '--data-dir', dir, ...etcdutl]
    })
    await refuses('a host that is no member', 78, /--name: is needed .* m1|m2|m3/, async () => {
      const path = await copy('elsewhere.xz')
      const text = JSON.parse(await readFile(`${path}.json`, 'utf8'))
      await writeFile(`${path}.json`, JSON.stringify({ ...text, host: 'elsewhere' }))
      return [path, '--data-dir', dir, ...etcdutl]
    })
    await refuses(
      'a name that there is not',
      78,
      /--name: is "m9", and the cluster is to consist of/,
      async () => [...[file, '--data-dir', dir, '--name', 'm9', ...etcdutl]],
    )
    await refuses('a file', 69, /is a file, and should be a folder/, async () => [
      file,
      '--data-dir',
      file,
      ...etcdutl,
    ])
    await refuses('a folder that is none of etcd’s', 69, /is no data directory of etcd/, async () => [
      ...[file, '--data-dir', folder, ...etcdutl],
    ])
    await refuses('a symbolic link', 69, /is a symbolic link; name the folder/, async () => {
      const link = join(folder, 'link')
      await symlink(dir, link)
      return [file, '--data-dir', link, ...etcdutl]
    })
    await refuses('no --data-dir', 78, /--data-dir: is needed/, async () => [file, ...etcdutl])
    await refuses(
      'a copy of a member’s own file',
      65,
      /ends without etcd's SHA-256.*--force-no-hash/,
      async () => {
        const path = join(await mkdtemp(join(folder, 'archive-')), 'db')
        await copyFile(join(dir, 'member/snap/db'), path)
        return [
          path,
          '--data-dir',
          dir,
          '--name',
          'm1',
          '--initial-cluster',
          'm1=http://127.0.0.1:1',
          ...etcdutl,
        ]
      },
    )
  })

  test('refuses while the lock of the database is held by who cannot be seen', { skip: noRoot }, async () => {
    const dir = await stopped()
    const db = join(dir, 'member/snap/db')
    const holder = spawn('flock', [db, 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] })
    try {
      await until('it is locked', () =>
        run('flock', ['--nonblock', db, 'true']).then(
          () => false,
          () => true,
        ),
      )
      const args = ['backup', 'restore', file, '--data-dir', dir, ...etcdutl]
      is(await etcdDefrag(args, { through: alone }), 69, /holds the lock of its database/)
      // Without a wall between the two, it is named.
      is(await etcdDefrag(args), 69, new RegExp(`process (${holder.pid}|\\d+) \\((flock|cat)\\) uses it`))
    } finally {
      holder.stdin.end()
      await once(holder, 'close')
    }
  })

  test('refuses while the kubelet or systemd is about to start etcd there', { skip: noRoot }, async () => {
    const dir = await stopped()
    const node = await mkdtemp(join(folder, 'node-'))
    await mkdir(join(node, 'kubernetes/manifests'), { recursive: true })
    const link = join(node, 'link')
    await symlink(join(dir, '..'), link)
    const args = ['backup', 'restore', file, '--data-dir', dir, ...etcdutl]
    for (const name of [`${dir}/`, join(link, 'etcd')]) {
      const pod = { spec: { containers: [{ command: ['etcd', `--data-dir=${name}`] }] } }
      await writeFile(join(node, 'kubernetes/manifests/etcd.yaml'), JSON.stringify(pod))
      const script = 'mount -t overlay -o lowerdir="$0":/etc overlay /etc && exec "$@"'
      const through = ['unshare', '--mount', '--', 'sh', '-c', script, node]
      is(await etcdDefrag(args, { through }), 69, /the kubelet starts etcd on it at any moment/)
    }
    const states = 'ActiveState=activating\nSubState=auto-restart'
    await writeFile(join(node, 'systemctl'), `#!/bin/sh\nprintf '${states}\\n'\n`, { mode: 0o755 })
    const script = 'mount -t overlay -o lowerdir="$0":/usr/bin overlay /usr/bin && exec "$@"'
    const through = ['unshare', '--mount', '--', 'sh', '-c', script, node]
    is(await etcdDefrag(args, { through }), 69, /stop it with: systemctl stop etcd/)
  })

  test('takes a copy of a member’s own file by force', async () => {
    const dir = await stopped()
    const path = join(await mkdtemp(join(folder, 'archive-')), 'db')
    await copyFile(join(dir, 'member/snap/db'), path)
    const cluster = ['--initial-cluster', 'm1=http://127.0.0.1:1']
    const ended = await restore(path, '--data-dir', dir, ...cluster, '--force-no-hash', ...etcdutl)
    assert.equal(ended.code, 0, ended.stderr)
  })

  test('refuses where there is no room', { skip: noRoot }, async () => {
    const small = await mkdtemp(join(folder, 'small-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', small])
    try {
      is(await restore(file, '--data-dir', join(small, 'etcd'), ...etcdutl), 69, /make room there/)
      assert.deepEqual(await readdir(small), [])
    } finally {
      await run('umount', [small])
    }
  })

  test('says where to get etcdutl and what it would have run, where there is none', {
    skip:
      noRoot ||
      (['/usr/bin', '/usr/local/bin'].some(bin => existsSync(`${bin}/etcdctl`)) && 'etcdctl is here'),
  }, async () => {
    const dir = await stopped()
    const args = ['backup', 'restore', file, '--data-dir', dir]
    const ended = await etcdDefrag(args, { through: alone })
    is(
      ended,
      69,
      /no etcdutl or etcdctl is on this node\. Get it from .*etcd-client.*github\.com\/etcd-io\/etcd\/releases/,
    )
    assert.match(
      ended.stderr,
      /would have run: etcdutl snapshot restore SNAPSHOT\.db --data-dir=.* --name=m1 .*--mark-compacted/,
    )
    assert.deepEqual(await listOf(dir), ['etcd'])
  })

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const)
    test(`${signal} in mid-restore leaves the data directory as it was, and no program behind`, async () => {
      const dir = await stopped()
      const old = await treeOf(dir)
      const slow = await SlowRestorer.create(join(folder, `slow-${signal}`))
      const running = start(['backup', 'restore', file, '--data-dir', dir, '--etcdutl', slow.file])
      await running.said(/restoring with/)
      await until('its program runs', () => slow.runs())
      running.kill(signal)
      const ended = await running.ended
      if (signal !== 'SIGKILL') is(ended, 75, new RegExp(`interrupted by ${signal}`))
      await until('its program is gone', async () => !(await slow.runs()))
      assert.deepEqual(await treeOf(dir), old)
      if (signal === 'SIGKILL') {
        assert.equal((await listOf(dir)).length, 2, 'what a killed run leaves')
        const next = await restore(file, '--data-dir', dir, ...etcdutl)
        assert.equal(next.code, 0, next.stderr)
      }
      assert.deepEqual(
        (await listOf(dir)).filter(name => name.startsWith('.')),
        [],
      )
    })
})
