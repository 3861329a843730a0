import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { archive } from '../lab/archives.js'
import { Cluster, programOf, type Suite, until } from '../lab/cluster.js'
import { documentOf, type Ended, etcdDefrag, start } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'
import { isRoot } from '../lab/loopDevice.js'
import { describeArchive } from '../lab/provenance.js'
import { alone, SlowRestorer } from '../lab/slowRestorer.js'

const run = promisify(execFile)
const noRoot = isRoot ? false : 'it takes root'

const programs = (suite: Suite): readonly string[] => [
  ...['--etcd', programOf(suite, 'etcd')],
  ...['--etcdutl', programOf(suite, suite === 'bookworm' ? 'etcdctl' : 'etcdutl')],
]
const drill = (...args: readonly string[]): Promise<Ended> => etcdDefrag(['backup', 'drill', ...args])
const is = (ended: Ended, code: number, says: RegExp): void => {
  assert.equal(ended.code, code, ended.stderr)
  assert.match(ended.stderr, says)
}

/** Ids of the processes named etcd that work below a folder. */
async function etcdsIn(folder: string): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter(id => /^\d+$/.test(id))
  const { stdout } = await run('sh', [
    '-c',
    `for p in ${ids.join(' ')}; do echo $p $(readlink /proc/$p/cwd); done`,
  ])
  return stdout.split('\n').flatMap(line => {
    const [id = '', cwd = ''] = line.split(' ')
    return cwd.startsWith(`${folder}/`) ? [id] : []
  })
}

/** A real etcd that leads itself only after so long, or twice that, and does not serve until then. */
async function patientEtcd(file: string, suite: Suite, ms: number): Promise<string> {
  const etcd = programOf(suite, 'etcd')
  const script = `#!/bin/sh
case "$*" in *--version*|*--help) exec ${etcd} "$@" ;; esac
exec ${etcd} "$@" --initial-election-tick-advance=false --heartbeat-interval=${ms / 10} --election-timeout=${ms}
`
  await writeFile(file, script, { mode: 0o755 })
  return file
}

for (const suite of ['trixie', 'bookworm', 'forky'] as const)
  describe(`a drill with Debian ${suite}`, { timeout: 120_000 }, () => {
    let cluster: Cluster
    let folder: string
    let file: string
    before(async () => {
      cluster = await Cluster.start({ suite, size: 1 })
      await fragment(cluster, 10)
      folder = await mkdtemp(join(tmpdir(), 'etcd-drill-'))
      file = join(folder, 'backup.xz')
      await archive(cluster, file)
      await describeArchive(cluster, file)
    })
    after(async () => {
      await cluster[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    })

    test('reads all of a good archive, touches no etcd that runs, and leaves nothing', async () => {
      const [before] = await cluster.status()
      const ended = await drill('--backup-path', file, ...programs(suite), '--output', 'json')
      const report = documentOf(ended)
      assert.deepEqual([ended.code, report.verdict], [0, 'completed'], ended.stderr)
      const client = await clientOf(cluster)
      const keys = (await client.getAll().keys()).length
      client.close()
      assert.deepEqual([report.keys, report.sampled, report.read], [keys, Math.min(100, keys), true])
      assert.equal(report.revision, before?.Status.header.revision)
      assert.ok(report.peakMemory > 10e6 && report.peakMemory < 500e6)
      const [now] = await cluster.status()
      assert.deepEqual(now?.Status.header, before?.Status.header)
      assert.deepEqual((await readdir(folder)).toSorted(), ['backup.xz', 'backup.xz.json'])
      assert.doesNotMatch(`${ended.stdout}${ended.stderr}`, /\/registry\/|ConfigMap/)
    })

    test('its etcd listens on no port, and its sockets lie where nobody else can go', {
      skip: noRoot,
    }, async () => {
      // A port would be seen in a network of its own; the programs of the lab run there as everywhere.
      const script =
        'ip link set lo up; "$@" & wait=$!; while kill -0 $wait 2>/dev/null; do ss -Hltun; sleep 0.02; done >&2; wait $wait'
      const through = ['unshare', '--net', '--', 'sh', '-c', script, 'sh']
      const etcd = ['--etcd', await patientEtcd(join(cluster.folder, 'patient-etcd'), suite, 3_000)]
      const running = start(['backup', 'drill', file, ...etcd, ...programs(suite).slice(2)], { through })
      const ended = running.ended.then(({ code, stderr }) => {
        assert.equal(code, 0, stderr)
        assert.doesNotMatch(stderr, /LISTEN|UNCONN/)
      })
      const listens = until('its etcd listens', async () => {
        const [name = ''] = (await readdir(folder)).filter(entry => entry.startsWith('.etcd-defrag-drill'))
        const work = join(folder, name)
        if (!existsSync(join(work, 'client:1'))) return false
        assert.equal((await stat(work)).mode & 0o777, 0o700)
        const stranger = ['--reuid=65534', '--regid=65534', '--clear-groups', 'ls', work]
        await assert.rejects(run('setpriv', stranger), /Permission denied/)
        return true
      })
      const over = ended.then(() =>
        Promise.reject(new Error('it was over before its etcd was seen to listen')),
      )
      await Promise.race([listens, over])
      await ended
    })

    test('of a plain snapshot with users: it starts, and is read by a user', async () => {
      await using own = await Cluster.start({ suite, size: 1 })
      await own.etcdctl(['put', '/registry/a', 'b'])
      await own.etcdctl(['user', 'add', 'root:secret'])
      await own.etcdctl(['user', 'grant-role', 'root', 'root'])
      await own.etcdctl(['auth', 'enable'])
      const snapshot = join(own.folder, 'guarded.db')
      const [member] = own.members
      await own.etcdctl(
        ['--user=root:secret', 'snapshot', 'save', snapshot],
        member === undefined ? [] : [member],
      )
      const ended = await drill(snapshot, ...programs(suite), '--output', 'json')
      const report = documentOf(ended)
      assert.deepEqual([ended.code, report.read, report.keys], [0, false, null], ended.stderr)
      assert.match(
        (await drill(snapshot, ...programs(suite))).stdout,
        /it restores and starts; not read, since/,
      )
      const readBy = async (password: string) => {
        await writeFile(join(own.folder, 'password'), password, { mode: 0o600 })
        const user = ['--user', 'root', '--password-file', join(own.folder, 'password')]
        return documentOf(await drill(snapshot, ...programs(suite), ...user, '--output', 'json'))
      }
      const { read, keys, sampled } = await readBy('secret')
      assert.deepEqual([read, keys, sampled], [true, 1, 1])
      assert.equal((await readBy('of before')).read, false)
    })
  })

describe('a drill', { timeout: 120_000 }, () => {
  let folder: string
  let file: string
  before(async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    await fragment(cluster, 10)
    folder = await mkdtemp(join(tmpdir(), 'etcd-drill-'))
    file = join(folder, 'backup.xz')
    await archive(cluster, file)
    await describeArchive(cluster, file)
  })
  after(() => rm(folder, { recursive: true }))
  const trixie = programs('trixie')
  const left = async (dir = folder) => (await readdir(dir)).filter(name => name.startsWith('.'))

  test('of a damaged archive is refused with exit code 65', async () => {
    const damaged = join(await mkdtemp(join(folder, 'damaged-')), 'backup.xz')
    const content = await readFile(file)
    content.writeUInt8(content.readUInt8(content.length >> 1) ^ 1, content.length >> 1)
    await writeFile(damaged, content)
    is(await drill(damaged, ...trixie), 65, /backup\.xz/)
  })

  test('whose etcd does not take the data fails with exit code 76 and what its log says', async () => {
    const broken = join(folder, 'broken-etcd')
    const script = `#!/bin/sh
case "$*" in *--version|*--help) exec ${programOf('trixie', 'etcd')} "$@" ;; esac
: > data/member/snap/db
exec ${programOf('trixie', 'etcd')} "$@"
`
    await writeFile(broken, script, { mode: 0o755 })
    const ended = await drill(file, '--etcdutl', programOf('trixie', 'etcdutl'), '--etcd', broken)
    is(ended, 76, /the drill failed: etcd ended instead of serving the restored data; its log says last: \S+/)
    assert.deepEqual(await left(), [])
  })

  test('whose restored store has not all that the archive is said to hold fails', async () => {
    const ahead = join(await mkdtemp(join(folder, 'ahead-')), 'backup.xz')
    await copyFile(file, ahead)
    const provenance = JSON.parse(await readFile(`${file}.json`, 'utf8'))
    await writeFile(`${ahead}.json`, JSON.stringify({ ...provenance, revision: provenance.revision + 1 }))
    is(await drill(ahead, ...trixie), 76, /is at revision \d+, and the archive is of \d+/)
  })

  test('without any etcd on the node says where to get one', {
    skip: noRoot || (existsSync('/usr/bin/etcd') && 'etcd is here'),
  }, async () => {
    const ended = await etcdDefrag(['backup', 'drill', file], { through: alone })
    is(ended, 69, /no etcd is on this node\. Get it from Debian's packages etcd-server, .*--etcd FILE/)
  })

  test('finds the programs of an etcd that runs', { skip: noRoot }, async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    const ended = await drill(file, '--data-dir', cluster.members[0]?.dataDir ?? '')
    assert.equal(ended.code, 0, ended.stderr)
    assert.match(ended.stdout, /with {6}\/.*\/etcdutl \(etcdutl 3\.5\.\d+\), \/.*\/etcd \(etcd 3\.5\.\d+\)/)
  })

  test('runs nothing that lies beside a process which only has the name of etcd', {
    skip: noRoot || (existsSync('/usr/bin/etcd') && 'etcd is here'),
  }, async () => {
    const planted = await mkdtemp(join(tmpdir(), 'etcd-planted-'))
    await copyFile('/bin/sleep', join(planted, 'etcd'))
    await chmod(join(planted, 'etcd'), 0o755)
    await writeFile(join(planted, 'etcdutl'), `#!/bin/sh\n: > ${planted}/was-run\n`, { mode: 0o755 })
    const stranger = spawn(join(planted, 'etcd'), ['3600'], { stdio: 'ignore' })
    try {
      await once(stranger, 'spawn')
      is(await drill(file, '--data-dir', planted), 69, /no etcd is on this node/)
      const named = ['--etcd', programOf('trixie', 'etcd'), '--data-dir', planted]
      is(await drill(file, ...named), 69, /no etcdutl or etcdctl is on this node/)
      assert.deepEqual((await readdir(planted)).toSorted(), ['etcd', 'etcdutl'])
    } finally {
      stranger.kill()
      await rm(planted, { recursive: true })
    }
  })

  test('shows what unpacked images hold, and runs none of it', { skip: noRoot }, async () => {
    const images = await mkdtemp(join(tmpdir(), 'etcd-images-'))
    const layer = join(images, 'docker/overlay2/0/diff/usr/local/bin')
    await mkdir(layer, { recursive: true })
    await writeFile(join(layer, 'etcdutl'), `#!/bin/sh\n: > ${images}/was-run\n`, { mode: 0o755 })
    const script = 'mount --bind "$0" /var/lib && exec "$@"'
    const through = [...alone, 'sh', '-c', script, images]
    const args = ['backup', 'drill', file, '--etcd', programOf('trixie', 'etcd')]
    const says =
      /Unpacked images hold \/var\/lib\/docker\/overlay2\/0\/diff\/usr\/local\/bin\/etcdutl, .*--etcdutl FILE/
    is(await etcdDefrag(args, { through }), 69, says)
    assert.deepEqual(await readdir(images), ['docker'])
    await rm(images, { recursive: true })
  })

  test('with an etcd older than the data is refused', async () => {
    is(await drill(file, ...programs('bookworm')), 69, /--etcd: .* is older than the data/)
  })

  test('where its etcd could outlive it, or others could swap its folder, is refused', {
    skip: noRoot,
  }, async () => {
    const script = 'mount --bind /dev/null "$(command -v setpriv)" && exec "$@"'
    const through = ['unshare', '--mount', '--', 'sh', '-c', script, 'sh']
    is(await etcdDefrag(['backup', 'drill', file, ...trixie], { through }), 69, /install util-linux/)
    const loose = await mkdtemp(join(folder, 'loose-'))
    await chmod(loose, 0o1777)
    is(await drill(file, ...trixie, '--drill-dir', loose), 69, /anybody may rename what is in/)
    await chmod(loose, 0o700)
    await run('chown', ['12345', loose])
    is(await drill(file, ...trixie, '--drill-dir', loose), 69, /user 12345 may rename what is in/)
  })

  test('in memory, or where there is no room, is refused', { skip: noRoot }, async () => {
    const small = join(folder, 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=100m,mode=0700', 'tmpfs', small])
    try {
      is(await drill(file, ...trixie, '--drill-dir', small), 69, /make room there/)
      await copyFile(file, join(small, 'backup.xz'))
      is(await drill(join(small, 'backup.xz'), ...trixie), 69, /is in memory, and a database is large/)
      assert.deepEqual(await readdir(small), ['backup.xz'])
    } finally {
      await run('umount', [small])
    }
  })

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    for (const stage of ['restoring', 'starting'] as const)
      test(`${signal} while it is ${stage}: no process is left, and no folder after the next one`, async () => {
        const slow = await SlowRestorer.create(join(folder, `slow-${signal}`))
        const programsOfStage =
          stage === 'restoring'
            ? ['--etcdutl', slow.file, ...trixie.slice(0, 2)]
            : [
                '--etcd',
                await patientEtcd(join(folder, 'patient-etcd'), 'trixie', 40_000),
                ...trixie.slice(2),
              ]
        const running = start(['backup', 'drill', file, ...programsOfStage])
        if (stage === 'restoring') await until('its program runs', () => slow.runs())
        else await until('its etcd runs', async () => (await etcdsIn(folder)).length > 0)
        running.kill(signal)
        const ended = await running.ended
        if (signal === 'SIGINT') is(ended, 75, /interrupted by SIGINT/)
        await until('all is gone', async () => (await etcdsIn(folder)).length === 0 && !(await slow.runs()))
        assert.equal((await left()).length, signal === 'SIGKILL' ? 1 : 0)
        if (signal === 'SIGINT') return
        const next = await drill(file, ...trixie)
        assert.equal(next.code, 0, next.stderr)
        assert.deepEqual(await left(), [])
      })
})

describe('a drill with --if-any, as the unit starts it', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-drill-'))
  })
  after(() => rm(folder, { recursive: true }))
  const file = () => join(folder, 'backup.xz')

  test('ends with 0 and says so where there is no backup; without the flag that is 65', async () => {
    const ended = await drill('--if-any', '--backup-path', file())
    assert.deepEqual(
      [ended.code, ended.stdout],
      [0, `nothing to drill: there is no backup at ${file()}, and no earlier one beside it\n`],
    )
    const { verdict, exitCode } = documentOf(await drill('--if-any', file(), '--output', 'json'))
    assert.deepEqual([verdict, exitCode], ['skipped', 0])
    assert.equal((await drill('--backup-path', file())).code, 65)
  })

  test('fails where there was a backup once, or is one that is none, or its folder is not there', async () => {
    const earlier = join(folder, 'backup-20261122T023000Z.xz')
    await writeFile(earlier, 'none')
    assert.equal((await drill('--if-any', file())).code, 65)
    await rm(earlier)
    await writeFile(file(), 'none')
    assert.equal((await drill('--if-any', file())).code, 65)
    assert.equal((await drill('--if-any', join(folder, 'missing', 'backup.xz'))).code, 65)
  })
})
