import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { promisify } from 'node:util'
import { type BucketSpec, databaseOf, etcdBuckets, keyValue, revisionKey } from '../lab/boltFile.js'
import { Cluster, type LabMember, programOf, type Suite, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'
import { noise, snapshotOf, temporary } from '../unit/fixtures.js'

const run = promisify(execFile)

type Status = Readonly<{ hash: number; revision: number; totalKey: number; totalSize: number }>

async function etcdutl(file: string): Promise<Status> {
  const { stdout } = await run(programOf('trixie', 'etcdutl'), ['snapshot', 'status', file, '-w', 'json'])
  const { hash, revision, totalKey, totalSize } = JSON.parse(stdout) as Status
  return { hash, revision, totalKey, totalSize }
}

async function show(file: string) {
  const ended = await etcdDefrag(['backup', 'show', file, '--output', 'json'])
  assert.equal(ended.code, 0, ended.stderr)
  return documentOf(ended)
}

/** What show says, after it was found equal to what etcdutl 3.5 says. */
async function equal(file: string, snapshot = file) {
  const found = await show(file)
  const { hash, revision, totalKey, totalSize } = found
  assert.deepEqual({ hash, revision, totalKey, totalSize }, await etcdutl(snapshot))
  return found
}

async function save(cluster: Cluster, name: string, extra: readonly string[] = []): Promise<string> {
  const [member] = cluster.members
  assert.ok(member)
  const file = join(cluster.folder, `${name}.db`)
  await cluster.etcdctl([...extra, 'snapshot', 'save', file], [member])
  return file
}

const first = (cluster: Cluster): LabMember => {
  const [member] = cluster.members
  assert.ok(member)
  return member
}

describe('backup show says what etcdutl snapshot status says', { concurrency: 2 }, () => {
  for (const suite of ['bookworm', 'trixie', 'forky'] as const satisfies readonly Suite[])
    it(`of databases that etcd of ${suite} wrote`, async () => {
      await using cluster = await Cluster.start({
        suite,
        size: 1,
        tls: false,
        flags: ['--max-request-bytes=4000000', '--quota-backend-bytes=200000000'],
      })
      const empty = await equal(await save(cluster, 'empty'))
      assert.equal(empty.live.objects, 0)
      assert.deepEqual(empty.members[0].peerUrls, [first(cluster).peerUrl])
      assert.match(empty.clusterVersion, /^3\.\d+\.0$/)

      const client = await clientOf(cluster)
      for (let i = 0; i < 8; i++) await client.put(`/large/${i}`).value(noise(1 << 20, i))
      const lease = client.lease(600)
      await lease.put('/leased/a').value('b')
      await client.delete().key('/large/3')
      await client.put('/large/4').value('small now')
      const large = await equal(await save(cluster, 'large'))
      assert.deepEqual(
        large.live.prefixes.map(({ prefix, objects }: { prefix: string; objects: number }) => [
          prefix,
          objects,
        ]),
        [
          ['/large', 7],
          ['/leased', 1],
        ],
      )
      assert.equal(large.live.largest[0].bytes, (1 << 20) + '/large/0'.length)
      assert.equal(large.leases, 1)
      await lease.revoke()
      client.close()

      await fragment(cluster, 10)
      const fragmented = await equal(await save(cluster, 'fragmented'))
      assert.ok(fragmented.contents.livePages * 3 < fragmented.contents.pages)
      assert.ok(fragmented.compactedRevision > 0)
      await cluster.etcdctl(['defrag'])
      const defragmented = await save(cluster, 'defragmented')
      const tidy = await equal(defragmented)
      assert.ok(tidy.contents.livePages * 1.2 > tidy.contents.pages)
      assert.deepEqual(tidy.live, fragmented.live)

      for (const [name, args] of [
        ['T0', ['-T0']],
        ['9', ['-9']],
        ['0', ['-0']],
      ] as const) {
        const copy = join(cluster.folder, `${name}.db`)
        await copyFile(defragmented, copy)
        await run('xz', ['-k', ...args, copy])
        const packed = await equal(`${copy}.xz`, defragmented)
        assert.deepEqual([packed.kind, packed.content], ['xz', tidy.content])
      }

      await cluster.etcdctl(['user', 'add', 'root:secret'])
      await cluster.etcdctl(['role', 'add', 'reader'])
      await cluster.etcdctl(['user', 'grant-role', 'root', 'root'])
      await cluster.etcdctl(['auth', 'enable'])
      assert.equal((await equal(await save(cluster, 'auth', ['--user', 'root:secret']))).authEnabled, true)
      await cluster.etcdctl(['--user', 'root:secret', 'auth', 'disable'])

      // Of the fragmented file again, as the member has it: stopped, and stopped once more without a change.
      const member = first(cluster)
      for (const name of ['stopped', 'stopped-again']) {
        await cluster.kill(member, 'SIGTERM')
        const raw = join(cluster.folder, `${name}.raw`)
        await copyFile(join(member.dataDir, 'member/snap/db'), raw)
        assert.equal((await equal(raw)).hasTrailer, false)
        await cluster.restart(member)
      }
      await cluster.kill(member, 'SIGKILL')
      const raw = join(cluster.folder, 'killed.raw')
      await copyFile(join(member.dataDir, 'member/snap/db'), raw)
      assert.equal((await equal(raw)).hasTrailer, false)
    })

  it('under an alarm', async () => {
    await using cluster = await Cluster.start({
      size: 1,
      tls: false,
      flags: ['--quota-backend-bytes=3000000'],
    })
    const client = await clientOf(cluster)
    let [count, said] = [0, '']
    await until('the quota is used up', async () => {
      count += 1
      said = await client
        .put(`/large/${count}`)
        .value(noise(1 << 20, count))
        .exec()
        .then(() => '', String)
      return /NOSPACE/.test(await cluster.etcdctl(['alarm', 'list']))
    }).catch(error => {
      throw new Error(`${error}: ${count} values, the last: ${said}`)
    })
    client.close()
    assert.equal((await equal(await save(cluster, 'alarm'))).alarms, 1)
  })
})

test('backup show says what etcdutl snapshot status says of databases of any shape', async () => {
  await using folder = await temporary()
  const key: BucketSpec = {
    entries: Array.from({ length: 3000 }, (_, i) => [
      revisionKey(i + 1, i % 3, i % 50 === 9),
      keyValue(`/registry/pods/default/${i % 400}`, i % 50 === 9 ? undefined : noise(i % 700, i), i + 1),
    ]),
  }
  const inline: BucketSpec = {
    entries: [
      ['a', 'b'],
      ['c', ''],
    ],
    inline: true,
  }
  const nested: BucketSpec = {
    entries: [
      [
        'bucket',
        {
          entries: [
            ['x', 'y'],
            ['z', inline],
          ],
        },
      ],
      ['inline', inline],
      ['plain', 'v'],
    ],
  }
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`bucket ${i}`, inline]))
  const shapes = {
    nested: { buckets: { ...etcdBuckets(key), nested, another: nested } },
    'many-buckets': { buckets: { ...etcdBuckets(key), ...many } },
    'inline-key': { buckets: etcdBuckets({ entries: key.entries.slice(0, 3), inline: true }) },
    deep: { buckets: etcdBuckets({ ...key, perPage: 2 }), freePages: 100 },
    shuffled: { buckets: etcdBuckets({ ...key, perPage: 3 }), shuffle: 7, freePages: 50, freelist: true },
    'large-pages': { buckets: etcdBuckets(key), pageSize: 16384 },
    'largest-pages': { buckets: { ...etcdBuckets(key), nested }, pageSize: 65536, freePages: 3 },
    'many-free': { buckets: etcdBuckets(key), padding: 70_000, pageSize: 1024, freelist: true },
    'large-value': {
      buckets: etcdBuckets({ entries: [...key.entries, [revisionKey(9999), noise(5_000_000)]] }),
    },
  }
  for (const [name, shape] of Object.entries(shapes)) {
    const file = join(folder.path, `${name}.db`)
    await writeFile(file, snapshotOf(databaseOf(shape)))
    await equal(file).catch(error => {
      throw new Error(`${name}: ${error}`, { cause: error })
    })
  }
})
