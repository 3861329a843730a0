import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'

const job = ['--no-trim', '--no-backup', '--output', 'json']

describe('a pause', { timeout: 180_000 }, () => {
  let cluster: Cluster
  let stateDir: string
  let flags: readonly string[]
  before(async () => {
    cluster = await Cluster.start({ tls: false })
    await fragment(cluster, 20)
    stateDir = await mkdtemp(join(tmpdir(), 'etcd-defrag-state-'))
    flags = [...cluster.flags(await cluster.leader()), '--state-dir', join(stateDir, 'new')]
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(stateDir, { recursive: true })
  })
  const run = async (...more: string[]) => {
    const leader = cluster.flags(await cluster.leader())
    return documentOf(await etcdDefrag([...leader, '--state-dir', join(stateDir, 'new'), ...job, ...more]))
  }
  const command = async (...args: string[]) => {
    const { code, stdout, stderr } = await etcdDefrag([...args, ...flags])
    return { code, stdout: stdout.replaceAll(/\d{4}-\S+Z/g, 'TIME'), stderr }
  }

  for (const [scope, where] of [
    ['cluster', 'the cluster'],
    ['node', 'this node'],
  ] as const)
    test(`of ${where} holds every start off, is shown, and ends with resume`, async () => {
      assert.deepEqual(await command('pause', '--scope', scope, '--reason', 'moving disks'), {
        code: 0,
        stdout: `${where} is paused until TIME; no run begins before that, or before etcd-defrag resume --scope ${scope}\n`,
        stderr: '',
      })
      for (const force of [[], ['--force-nonleader'], ['--force-unhealthy', '--force-single']]) {
        const report = await run(...force)
        assert.deepEqual(
          [report.verdict, report.check, report.exitCode, report.steps],
          ['skipped', 'paused', 0, []],
        )
        assert.match(
          report.reason,
          new RegExp(`^${where} is paused until \\S+Z by \\S+: moving disks; end it with`),
        )
      }
      const plan = documentOf(await etcdDefrag(['plan', ...flags, ...job]))
      assert.deepEqual([plan.verdict, plan.check, plan.steps], ['skipped', 'paused', []])
      assert.match(
        (await command('status')).stdout,
        new RegExp(`\\n${where} is paused until TIME by .*: moving disks`),
      )
      const { paused } = documentOf(await etcdDefrag(['status', ...flags, '--output', 'json']))
      assert.equal(paused[scope].reason, 'moving disks')
      const hours = (Date.parse(paused[scope].until) - Date.parse(paused[scope].since)) / 3_600_000
      assert.equal(hours, 4)
      if (scope === 'node')
        assert.match(
          (await command('resume')).stdout,
          /^the cluster was not paused\nthis node is still paused, until TIME: etcd-defrag resume --scope node\n$/,
        )
      const resume = await command('resume', '--scope', scope)
      assert.equal(resume.stdout, `the pause of ${where} is over\n`)
      assert.equal((await command('resume', '--scope', scope)).stdout, `${where} was not paused\n`)
      assert.equal((await run()).verdict, 'completed')
    })

  test('ends by itself', async () => {
    for (const scope of ['cluster', 'node']) {
      await command('pause', '--for', '8s', '--scope', scope)
      assert.equal((await run()).check, 'paused')
      await sleep(8_000)
      assert.equal((await run()).verdict, 'completed')
    }
    assert.doesNotMatch((await command('status')).stdout, /paused/)
  })

  test('that comes in the middle of a run ends it before the next step', async () => {
    const running = start([...cluster.flags(await cluster.leader()), ...job, '--pause', '20s'])
    await running.said(/"event":"stepEnded"/)
    await command('pause', '--reason', 'enough')
    const report = documentOf(await running.ended)
    assert.deepEqual([report.exitCode, report.steps.length], [75, 1])
    assert.match(report.reason, /^interrupted by a pause: the cluster is paused until .*: enough/)
    await command('resume')
  })

  test('of a cluster whose etcd keeps none is refused, and the way that works is named', async () => {
    const refused = await command('pause', '--no-coordination')
    assert.equal(refused.code, 78)
    assert.match(refused.stderr, /--no-coordination: .*use --scope node/)
  })

  test('of a node needs no etcd, whatever state it is in', async () => {
    const folder = ['--state-dir', join(stateDir, 'alone')]
    const nowhere = ['--endpoints', 'http://127.0.0.1:1', ...folder]
    assert.equal((await etcdDefrag(['pause', '--scope', 'node', ...nowhere])).code, 0)
    const report = documentOf(await etcdDefrag([...nowhere, ...job]))
    assert.deepEqual([report.exitCode, report.check], [0, 'paused'])
    assert.deepEqual(await readdir(join(stateDir, 'alone')), ['pause.json'])
    assert.equal((await etcdDefrag(['resume', '--scope', 'node', ...nowhere])).code, 0)
    assert.deepEqual(await readdir(join(stateDir, 'alone')), [])
  })

  test('whose file cannot be understood holds off too, and says how to end it', async () => {
    await writeFile(join(stateDir, 'pause.json'), '{}')
    const ended = await etcdDefrag([...flags.slice(0, -1), stateDir, ...job])
    assert.equal(documentOf(ended).exitCode, 78)
    assert.match(
      documentOf(ended).reason,
      /pause\.json: holds no pause \(its format is undefined, expected 1\); end it with etcd-defrag resume --scope node/,
    )
  })

  test('has its own flags, which go with nothing else', async () => {
    for (const [args, message] of [
      [['run', '--for', '1h'], /--for: goes with the command pause/],
      [['status', '--scope', 'node'], /--scope: goes with the command pause or resume/],
      [['pause', '--for', '31d'], /--for: is "31d"; expected at most 30d/],
      [['pause', '--for', '0s'], /--for: is "0s"; expected more than 0/],
      [['pause', '--scope', 'world'], /--scope: is "world"; expected cluster or node/],
      [['plan', '--show-config'], /--show-config: goes with the command status/],
    ] as const) {
      const { code, stderr } = await etcdDefrag([...args])
      assert.equal(code, 78, args.join(' '))
      assert.match(stderr, message)
    }
  })
})

test('--pause waits between one member and the next', { timeout: 60_000 }, async () => {
  await using cluster = await Cluster.start({ tls: false })
  const flags = [...cluster.flags(await cluster.leader()), ...job]
  const report = documentOf(await etcdDefrag([...flags, '--pause', '1500ms']))
  assert.equal(report.verdict, 'completed')
  const events = (await cluster.history()).filter(({ what }) => what === 'defragment')
  const touched = cluster.members
    .map(({ name }) => events.find(({ member }) => member === name)?.at ?? 0)
    .sort((a, b) => a - b)
  for (const [i, at] of touched.entries()) if (i > 0) assert.ok(at - (touched[i - 1] ?? at) >= 1_500)
})

test('a member that has just started is left to itself for --min-uptime', { timeout: 120_000 }, async () => {
  await using cluster = await Cluster.start({ tls: false })
  const [follower] = await cluster.followers()
  assert.ok(follower)
  await cluster.kill(follower)
  const restarted = Date.now()
  await cluster.restart(follower)
  const run = start([...cluster.flags(await cluster.leader()), ...job, '--min-uptime', '8s'])
  // On a fast machine the others have just started as well, and the first of them is told.
  await run.said(/"event":"waiting","because":"member m\d started less than 8 s ago/)
  const report = documentOf(await run.ended)
  assert.equal(report.verdict, 'completed')
  const [touched] = (await cluster.history(restarted)).filter(({ member }) => member === follower.name)
  assert.ok((touched?.at ?? 0) - restarted > 6_500) // the kernel tells the time of its start to a second
  await until(
    'the record is there',
    async () => (await cluster.etcdctl(['get', '/etcd-defrag/last-run'])) !== '',
  )
})
