import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { provenanceOf } from '../../src/backup/provenance.js'
import { namedUrls, peerUrls, revisions } from '../../src/config/values.js'
import type { MemberRecord, Provenance } from '../../src/model/backup.js'
import type { MemberId } from '../../src/model/member.js'
import { complaintOf } from '../../src/restore/child.js'
import { identityOf, restoreArguments, tokenOf, type Wishes } from '../../src/restore/identity.js'
import { inspectArchive } from '../../src/restore/inspect.js'
import { inSed } from '../../src/restore/oneLost.js'
import { compareMinors, isWithinReach } from '../../src/restore/program.js'
import { quote, shellLine } from '../../src/restore/shell.js'
import { HalfSwapped, inspectTarget, swapIn } from '../../src/restore/swap.js'
import { unpack } from '../../src/restore/unpack.js'
import { smallDatabase } from '../lab/boltFile.js'
import { sha256, snapshotOf, temporary } from './fixtures.js'

const memberRecord = (name: string, changes: Partial<MemberRecord> = {}): MemberRecord => ({
  id: `a${name.slice(1)}` as MemberId,
  name,
  peerUrls: [`https://${name}:2380`],
  clientUrls: [`https://${name}:2379`],
  learner: false,
  ...changes,
})
const sum = { bytes: 4096, sha256: '0123456789abcdef'.repeat(4) }
const made: Provenance = {
  format: 1,
  tool: 'etcd-defrag 0.1.0',
  takenAt: '2026-01-31T02:30:00.000Z',
  host: 'host2',
  cluster: { id: 'c1', members: ['m1', 'm2', 'm3'].map(name => memberRecord(name)) },
  member: { id: 'a2' as MemberId, name: 'm2', etcdVersion: '3.5.16', storageVersion: null },
  revision: 7,
  totalKeys: 3,
  content: sum,
  archive: sum,
}
const withMembers = (...members: readonly MemberRecord[]): Provenance => ({
  ...made,
  cluster: { id: 'c1', members },
})
const none: Wishes = { name: undefined, initialCluster: undefined, peerUrls: undefined, token: undefined }

describe('provenance', () => {
  test('that we write is read as it is', () => assert.deepEqual(provenanceOf(structuredClone(made)), made))

  test('without any one of its fields, or with another kind of value there, is refused by the name of the field', () => {
    const paths = (value: unknown, at: readonly string[] = []): readonly (readonly string[])[] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => [[...at, key], ...paths(inner, [...at, key])])
        : []
    for (const path of paths(made))
      for (const wrong of [undefined, 'a\nb', -1, { odd: true }]) {
        const copy = structuredClone(made)
        const last = path.at(-1) ?? ''
        // biome-ignore lint/suspicious/noExplicitAny: it is spoiled on purpose
        const holder: any = path.slice(0, -1).reduce((inner: any, key) => inner[key], copy)
        if (Array.isArray(holder) && wrong === undefined) continue // a list may be shorter
        holder[last] = wrong
        assert.throws(() => provenanceOf(JSON.parse(JSON.stringify(copy))), /./, `${path.join('.')} ${wrong}`)
      }
  })

  test('whose names or URLs could do more on a command line than be themselves is refused by the field', () => {
    for (const [changes, field] of [
      [{ name: '-rf' }, 'name'],
      [{ name: 'm\u202e1' }, 'name'],
      [{ peerUrls: ['https://h:1|e touch /x'] }, 'peerUrls\\[0\\]'],
      [{ peerUrls: ['https://h:1,m9=https://i:1'] }, 'peerUrls\\[0\\]'],
      [{ clientUrls: ['https://h:1/$(x)'] }, 'clientUrls\\[0\\]'],
    ] as const)
      assert.throws(
        () => provenanceOf(withMembers(memberRecord('m1', changes))),
        new RegExp(`cluster\\.members\\[0\\]\\.${field} is `),
      )
    const urls = ['https://[fd00::1]:2380', 'http://host-1.example:2380/', 'unix://peer:1']
    const record = memberRecord('m1', { name: 'node 1', peerUrls: urls })
    assert.deepEqual(provenanceOf(withMembers(record)).cluster.members, [record])
  })

  test('of any JSON is refused or understood, and nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        assert.throws(() => provenanceOf(value), Error)
      }),
    )
  })
})

test('an archive that a backup replaces while it is read is read again, and stays the one that was read', async () => {
  await using folder = await temporary()
  const path = join(folder.path, 'backup.db')
  const files = [1, 2].map(seed => snapshotOf(smallDatabase({ seed })))
  const provenances = files.map(file => ({
    ...made,
    archive: { bytes: file.length, sha256: sha256(file) },
    content: { bytes: file.length - 32, sha256: sha256(file.subarray(0, -32)) },
  }))
  const put = (name: string, content: string | Buffer | undefined) => {
    writeFileSync(`${name}.new`, content ?? '')
    renameSync(`${name}.new`, name)
  }
  const signal = new AbortController().signal
  const putBoth = (i: number) => {
    put(`${path}.json`, JSON.stringify(provenances[i]))
    put(path, files[i])
  }
  // Begun between its two renames, in either order, or before both.
  for (const [archive, provenance, result] of [
    [0, 1, 1],
    [1, 0, 1],
    [0, 0, 0],
  ] as const) {
    putBoth(provenance)
    put(path, files[archive])
    let isPut = false
    const tell = () => {
      if (!isPut) putBoth(1)
      isPut = true
    }
    await using inspected = await inspectArchive(path, { signal, tell })
    assert.deepEqual(inspected.provenance?.archive, provenances[result]?.archive)
    assert.deepEqual(inspected.verified.archive, provenances[result]?.archive)
    rmSync(path)
    const unpacked = join(folder.path, `${archive}${provenance}`)
    await unpack(inspected, unpacked, signal)
    assert.equal(sha256(readFileSync(unpacked)), provenances[result]?.archive.sha256)
  }
  putBoth(0)
  put(path, files[1])
  await assert.rejects(inspectArchive(path, { signal }), /do not belong together/)
})

describe('who is restored', () => {
  test('the member of the archive on its own host, the only one, or the one that is named', () => {
    assert.equal(identityOf(none, made, 'host2').name, 'm2')
    assert.equal(identityOf(none, withMembers(memberRecord('m9')), 'elsewhere').name, 'm9')
    assert.equal(identityOf({ ...none, name: 'm3' }, made, 'elsewhere').name, 'm3')
    const one = [{ name: 'new', url: 'https://10.0.0.1:2380' }]
    const { name, peerUrls } = identityOf({ ...none, initialCluster: one }, undefined, 'elsewhere')
    assert.deepEqual([name, peerUrls], ['new', ['https://10.0.0.1:2380']])
  })

  test('elsewhere nobody is guessed, and the names are listed', () => {
    assert.throws(() => identityOf(none, made, 'host1'), /--name: is needed.*m1, m2, m3/)
    assert.throws(() => identityOf({ ...none, name: 'm4' }, made, 'host2'), /--name: is "m4".*m1, m2, m3/)
    assert.throws(() => identityOf(none, undefined, 'host2'), /--initial-cluster: is needed/)
  })

  test('learners and those that never started are left out, and said to be', () => {
    const learner = memberRecord('m4', { learner: true })
    const unborn = memberRecord('m5', { name: '' })
    const { cluster, notes } = identityOf(none, withMembers(memberRecord('m2'), learner, unborn), 'host2')
    assert.deepEqual(cluster, [{ name: 'm2', url: 'https://m2:2380' }])
    assert.match(notes.join(), /m4 was a learner.*a5 had never been started/)
  })

  test('names that etcd would mix up are refused', () => {
    assert.throws(
      () => identityOf(none, withMembers(memberRecord('m1'), memberRecord('m1')), 'host2'),
      /both named m1/,
    )
    assert.throws(() => identityOf(none, withMembers(memberRecord('m,1')), 'host2'), /cannot stand in it/)
  })

  test('a member with several peer URLs keeps them all', () => {
    const two = memberRecord('m1', { peerUrls: ['https://a:2380', 'https://b:2380'] })
    const identity = identityOf({ ...none, name: 'm1' }, withMembers(two, memberRecord('m2')), 'x')
    const args = restoreArguments(identity, { token: 't', dataDir: '/d', bump: 0, skipHash: false })
    assert.ok(args.includes('--initial-cluster=m1=https://a:2380,m1=https://b:2380,m2=https://m2:2380'))
    assert.ok(args.includes('--initial-advertise-peer-urls=https://a:2380,https://b:2380'))
    assert.ok(!args.join().includes('--mark-compacted'))
  })

  test('the token is the same for the same content', () => {
    assert.equal(tokenOf(none, sum.sha256), 'restored-0123456789ab')
    assert.equal(tokenOf({ ...none, token: 'mine' }, sum.sha256), 'mine')
  })
})

test('a line for a shell gives each word back as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }).filter(word => !word.includes('\0'))), words => {
      const script = `printf '%s\\0' ${shellLine(['x', ...words])}`
      const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)
      assert.deepEqual(said, ['x', ...words])
    }),
    { numRuns: 50 },
  )
  assert.equal(quote(''), "''")
})

test('sed puts in what it is given', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).filter(words => !words.includes('\0')),
      words => {
        const options = { encoding: 'utf8', input: 'x\n' } as const
        assert.equal(execFileSync('sed', [`s|x|${inSed(words)}|`], options), `${words}\n`)
      },
    ),
    { numRuns: 50, examples: [['a|b&c\\1\n|e id']] },
  )
})

test('flags for a restore are taken as etcd takes them', () => {
  assert.deepEqual(namedUrls('a=https://h:1,a=http://[::1]:2'), [
    { name: 'a', url: 'https://h:1' },
    { name: 'a', url: 'http://[::1]:2' },
  ])
  for (const wrong of [
    '',
    'a',
    'a=',
    'a=h:1',
    '=https://h:1',
    'a=https://h',
    'a=https://h:1/x',
    'a=https://u@h:1',
  ])
    assert.throws(() => namedUrls(wrong), /expected/, wrong)
  assert.throws(() => peerUrls('https://h:99999'), /expected peer URLs/)
  for (const wrong of ['0', '-1', '1e9', '1.5', '9'.repeat(16)])
    assert.throws(() => revisions(wrong), /whole number/)
})

test('where neither the new data nor the old can be put in place, it is said where the old is', async () => {
  await using folder = await temporary()
  const dataDir = join(folder.path, 'an etcd')
  await mkdir(dataDir)
  const target = await inspectTarget(dataDir)
  let moves = 0
  const swap = swapIn(join(folder.path, 'none'), target, new Date(0), async (from, to) => {
    if (++moves > 1) throw new Error('EIO')
    await rename(from, to)
  })
  const aside = `${dataDir}.before-restore-19700101T000000Z`
  await assert.rejects(swap, (error: Error) => {
    assert.ok(error instanceof HalfSwapped)
    assert.ok(error.message.endsWith(`whole in ${aside}. Put it back with: mv -T '${aside}' '${dataDir}'`))
    return true
  })
})

test('releases are compared by their numbers', () => {
  assert.ok(compareMinors('3.4.30', '3.5.0') < 0)
  assert.ok(compareMinors('3.10.0', '3.9.9') > 0)
  assert.equal(compareMinors('3.5.1', '3.5.30'), 0)
  for (const [version, isIt] of [
    ['3.4.1', true],
    ['3.5.0', true],
    ['3.6.0', false],
    ['3.3.9', false],
    ['4.5.0', false],
  ] as const)
    assert.equal(isWithinReach(version, '3.4.30'), isIt, version)
})

test('what a log says last is the complaint, and never a request with its key', () => {
  const slow = JSON.stringify({
    level: 'warn',
    msg: 'apply request took too long',
    request: 'key:"/registry/secrets/x"',
  })
  const fatal = JSON.stringify({ level: 'fatal', msg: 'discovery failed', error: 'member count is unequal' })
  assert.equal(complaintOf(`${slow}\n${fatal}\n${slow}`), 'discovery failed: member count is unequal')
  assert.equal(complaintOf(slow), 'apply request took too long')
  assert.equal(
    complaintOf('{"level":"info"}\nError: snapshot missing hash\n'),
    'Error: snapshot missing hash',
  )
  assert.equal(complaintOf(''), 'it said nothing')
})
