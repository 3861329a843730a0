import assert from 'node:assert/strict'
import { access, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, type LabMember } from '../lab/cluster.js'
import { documentOf, type Ended, etcdDefrag, type Running, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { begins } from '../lab/scene.js'

type Environment = Readonly<Record<string, string>>

async function enableAuth(cluster: Cluster): Promise<void> {
  await cluster.etcdctl(['user', 'add', 'root:right'])
  await cluster.etcdctl(['user', 'add', 'guest:right'])
  await cluster.etcdctl(['auth', 'enable'])
}

function only(cluster: Cluster): LabMember {
  const [member] = cluster.members
  assert.ok(member)
  return member
}

describe('a user and a password', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-users-'))
    await writeFile(join(folder, 'password'), 'right\n')
    await writeFile(join(folder, 'empty'), '\nright\n')
  })
  after(() => rm(folder, { recursive: true }))

  for (const [what, args, message] of [
    ['a password without user', ['--password', 'right'], '--password: there is a password but no --user'],
    [
      'a password file without user',
      ['--password-file', 'FILE'],
      '--password-file: there is a password but no --user',
    ],
    ['a user without password', ['--user', 'root'], '--user: has no password; set --password-file'],
    [
      'a password and a file',
      ['--user', 'root', '--password', 'right', '--password-file', 'FILE'],
      '--password-file: --password gives a password too; keep one of them',
    ],
    [
      'a password file that is not there',
      ['--user', 'root', '--password-file', '/nope/password'],
      '--password-file: /nope/password cannot be read (ENOENT)',
    ],
    [
      'a password file whose first line is empty',
      ['--user', 'root', '--password-file', 'EMPTY'],
      /empty first line/,
    ],
    ['an empty user', ['--user', '', '--password', 'right'], '--user: is empty'],
  ] as const)
    test(`${what} is refused, and the message names the flag`, async () => {
      const files = { FILE: join(folder, 'password'), EMPTY: join(folder, 'empty') } as Environment
      const given = args.map(arg => files[arg] ?? arg)
      const { code, stderr } = await etcdDefrag(['status', '--endpoints', 'http://127.0.0.1:1', ...given])
      assert.equal(code, 78)
      if (typeof message === 'string') assert.equal(stderr, `etcd-defrag: ${message}\n`)
      else assert.match(stderr, message)
      assert.doesNotMatch(stderr, /right/)
    })

  test('is not held against it while authentication is off, as with etcdctl', async () => {
    await using cluster = await Cluster.start({ size: 1, tls: false })
    const args = [...cluster.flags(only(cluster)), '--user', 'root:right']
    await cluster.etcdctl(['--user', 'root:right', 'get', 'key'])
    const { code, stderr } = await etcdDefrag(['status', ...args])
    assert.equal(code, 0, stderr)
  })
})

describe('where authentication is on', { concurrency: 2 }, () => {
  let cluster: Cluster
  let password: string
  let config: string
  before(async () => {
    cluster = await Cluster.start({ size: 1, tls: false })
    await enableAuth(cluster)
    password = join(cluster.folder, 'password')
    await writeFile(password, 'right\nnever read\n')
    config = join(cluster.folder, 'config.yaml')
    await writeFile(config, 'user: root:wrong\n')
  })
  after(() => cluster[Symbol.asyncDispose]())
  const defrag = (command: string, args: readonly string[], env: Environment = {}): Promise<Ended> =>
    etcdDefrag([command, ...cluster.flags(only(cluster)), ...args], { env })

  for (const [what, args, env] of [
    ['--user NAME:PASSWORD', ['--user', 'root:right'], {}],
    ['--user and --password', ['--user', 'root', '--password', 'right'], {}],
    ['--user and --password-file', ['--user', 'root', '--password-file', 'FILE'], {}],
    ['ETCDCTL_USER', [], { ETCDCTL_USER: 'root:right' }],
    ["etcdctl's two variables", [], { ETCDCTL_USER: 'root', ETCDCTL_PASSWORD: 'right' }],
    [
      'its own variables',
      [],
      { ETCD_DEFRAG_USER: 'root', ETCD_DEFRAG_PASSWORD: 'right', ETCDCTL_PASSWORD: 'wrong' },
    ],
    [
      'a password file over a variable of etcdctl',
      ['--user', 'root', '--password-file', 'FILE'],
      { ETCDCTL_PASSWORD: 'wrong' },
    ],
    ['the password in --user over a variable', ['--user', 'root:right'], { ETCD_DEFRAG_PASSWORD: 'wrong' }],
    ['--password over the one in the user of the file', ['--password', 'right', '--config', 'CONFIG'], {}],
  ] as const)
    test(`${what} is taken`, async () => {
      const files: Environment = { FILE: password, CONFIG: config }
      const { code, stderr } = await defrag(
        'status',
        args.map(arg => files[arg] ?? arg),
        env,
      )
      assert.equal(code, 0, stderr)
    })

  test('without a user the message says to set one, and nothing is run', async () => {
    for (const command of ['status', 'run']) {
      const job = command === 'run' ? ['--force-single', '--no-trim', '--no-backup'] : []
      const ended = await defrag(command, ['--output', 'json', ...job])
      assert.equal(ended.code, 69)
      assert.match(ended.stdout, /etcd asks for a user: set --user and --password-file/)
    }
  })

  test('a run that is refused warns of nothing that it was not told to do', async () => {
    const ended = await defrag('run', ['--output', 'json', '--force-single', '--no-trim', '--no-backup'])
    assert.deepEqual([ended.code, documentOf(ended).warnings], [69, []])
  })

  test('a wrong password leads to a message that names the flags', async () => {
    const { code, stderr } = await defrag('status', ['--user', 'root:wrong'])
    assert.equal(code, 69)
    assert.match(stderr, /authentication failed, invalid user ID or password/)
    assert.match(stderr, /--user/)
  })

  /** These tests share a cluster and run beside each other. */
  const others = ['--wait', '1m']

  test('a user who is not root defragments nothing, and the run fails and says so', async () => {
    const before = await cluster.defragmentations(only(cluster))
    const job = ['--force-single', '--no-trim', '--no-backup', '--output', 'json', ...others]
    const ended = await defrag('run', ['--user', 'guest:right', ...job])
    assert.equal(await cluster.defragmentations(only(cluster)), before)
    const { verdict, reason } = documentOf(ended)
    assert.deepEqual({ verdict, code: ended.code }, { verdict: 'failed', code: 76 })
    assert.match(reason, /permission denied/)
    assert.match(reason, /root role/)
    assert.doesNotMatch(reason, /may still be running/)
  })

  test('a full run does its job as root', async () => {
    const path = join(cluster.folder, 'backup.xz')
    const before = await cluster.defragmentations(only(cluster))
    const job = ['--force-single', '--no-trim', '--backup-path', path, '--output', 'json', ...others]
    const ended = await defrag('run', ['--user', 'root', '--password-file', password, ...job])
    assert.equal(ended.code, 0, ended.stderr)
    const { verdict, steps } = documentOf(ended)
    const outcomes = steps.map(({ step, outcome }: { step: string; outcome: string }) => [step, outcome])
    assert.deepEqual(
      [verdict, outcomes],
      [
        'completed',
        [
          ['defragment', 'done'],
          ['snapshot', 'done'],
        ],
      ],
    )
    assert.equal(await cluster.defragmentations(only(cluster)), before + 1)
    await access(path)
  })
})

test('over TLS a certificate that names no user of etcd leads to a message that names --user', async () => {
  await using cluster = await Cluster.start({ size: 1 })
  await enableAuth(cluster)
  const job = ['--force-single', '--no-trim', '--no-backup', '--output', 'json']
  const ended = await etcdDefrag(['run', ...cluster.flags(only(cluster)), ...job])
  assert.notEqual(ended.code, 0)
  const { verdict, reason } = documentOf(ended)
  assert.equal(verdict, 'failed')
  assert.match(reason, /user not found/)
  assert.match(reason, /--user/)
})

describe('a token that expires in the middle of a run', { concurrency: 2 }, () => {
  for (const [what, moment] of [
    ['before the backup begins', async (running: Running) => running.said(begins('snapshot'))],
    ['while the backup is compressed', async (_: Running, folder: string) => spooled(folder)],
  ] as const)
    test(`is renewed ${what}`, async () => {
      await using cluster = await Cluster.start({
        size: 1,
        tls: false,
        suite: 'bookworm', // logs the end of a token at its usual level
        flags: ['--auth-token-ttl=1'],
      })
      const member = only(cluster)
      await fragment(cluster, 25) // so that the backup takes a while
      await enableAuth(cluster)
      const folder = await mkdtemp(join(cluster.folder, 'backup-'))
      const job = ['--force-single', '--no-trim', '--backup-path', join(folder, 'backup.xz')]
      const running = start(['run', ...cluster.flags(member), ...job, '--user', 'root:right'])
      await moment(running, folder)
      running.kill('SIGSTOP')
      const given = await authentications(member)
      await until('all tokens have expired', async () => (await expiries(member)) >= given)
      running.kill('SIGCONT')
      const { code, stderr } = await running.ended
      assert.equal(code, 0, stderr)
      assert.ok((await authentications(member)) > given, 'the run was over before its token had expired')
    })
})

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await holds()); await sleep(5))
    if (Date.now() > end) throw new Error(`in vain waited until ${what}`)
}

/** The archive is begun when the snapshot is there as a whole. */
const spooled = (folder: string): Promise<void> =>
  until('the backup is compressed', async () => {
    const sizes = (await readdir(folder)).map(async name =>
      name.endsWith('.spool') ? (await stat(join(folder, name))).size : 0,
    )
    return (await Promise.all(sizes)).some(size => size > 2_500_000)
  })

async function authentications({ metricsUrl }: LabMember): Promise<number> {
  const metrics = await (await fetch(`${metricsUrl}/metrics`)).text()
  const line = /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Authenticate",.*\} (\d+)$/m
  return Number(line.exec(metrics)?.[1] ?? 0)
}

const expiries = async ({ log }: LabMember): Promise<number> =>
  (await readFile(log, 'utf8')).split('"deleted a simple token"').length - 1
