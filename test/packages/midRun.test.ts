import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Cluster, until } from '../lab/cluster.js'
import { documentOf, etcdDefrag, start } from '../lab/command.js'
import { fragment } from '../lab/fill.js'
import { debOf, Unpacked } from '../lab/packages.js'

const noTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'needs script(1) of util-linux'
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** An upgrade replaces the files of a run that is under way; here they are all taken away once it has begun. */
describe('a run whose files are taken away once it has begun', { timeout: 180_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start()
    await fragment(cluster, 20)
  })
  after(() => cluster?.[Symbol.asyncDispose]())
  const flags = async () => {
    const leader = await cluster.leader()
    return [...cluster.flags(leader), '--no-trim', '--backup-path', join(cluster.folder, 'etcd-backup.xz')]
  }

  test('does the whole job, backs up and reports', async () => {
    await using unpacked = await Unpacked.of(debOf('amd64'))
    const running = start(['run', ...(await flags()), '--output', 'json'], { command: unpacked.command })
    await running.said(/"event":"started"/)
    await unpacked.takeAway()
    const ended = await running.ended
    const report = documentOf(ended)
    assert.deepEqual([ended.code, report.verdict], [0, 'completed'], ended.stderr)
    const kinds = (report.steps as { step: string }[]).map(({ step }) => step)
    assert.deepEqual(kinds, ['defragment', 'defragment', 'moveLeader', 'defragment', 'snapshot'])
    const verified = await etcdDefrag(['backup', 'verify', join(cluster.folder, 'etcd-backup.xz')])
    assert.equal(verified.code, 0, verified.stderr)
  })

  test('shows its summary on a terminal', { skip: noTerminal }, async () => {
    await using unpacked = await Unpacked.of(debOf('amd64'))
    const line = [...unpacked.command, 'run', ...(await flags())].map(quoted).join(' ')
    const log = join(cluster.folder, 'log')
    // Only the summary goes to the terminal, so that nothing else has loaded what it takes.
    const running = start([], {
      env: { TERM: 'xterm', SHELL: '/bin/sh', LINE: `${line} 2>${log}` },
      through: ['sh', '-c', 'exec script -qec "$LINE" /dev/null'],
      command: [],
    })
    await until('it has begun', async () =>
      /"event":"started"/.test(await readFile(log, 'utf8').catch(() => '')),
    )
    await unpacked.takeAway()
    const ended = await running.ended
    const seen = stripVTControlCharacters(ended.stdout)
    assert.equal(ended.code, 0, `${seen}${await readFile(log, 'utf8')}`)
    assert.match(seen, /^MEMBER +BEFORE/m)
    assert.match(seen, /^completed/m)
  })

  test('ends in order when it is asked to', async () => {
    await using unpacked = await Unpacked.of(debOf('amd64'))
    const args = ['run', ...(await flags()), '--output', 'json', '--pause', '1m']
    const running = start(args, { command: unpacked.command })
    await running.said(/"event":"started"/)
    await unpacked.takeAway()
    await running.said(/"event":"stepEnded"/)
    running.kill('SIGTERM')
    const ended = await running.ended
    const report = documentOf(ended)
    assert.deepEqual([ended.code, report.fault.kind], [75, 'interrupted'], ended.stderr)
  })

  test('says what failed where a member is lost', async () => {
    await using unpacked = await Unpacked.of(debOf('amd64'))
    const leader = await cluster.leader()
    const args = ['run', ...(await flags()), '--output', 'json', '--settle-timeout', '5s', '--pause', '2s']
    const running = start(args, { command: unpacked.command })
    await running.said(/"event":"started"/)
    await unpacked.takeAway()
    await running.said(/"event":"stepEnded"/)
    const lost = cluster.members.find(member => member !== leader)
    assert.ok(lost)
    await cluster.kill(lost)
    const ended = await running.ended
    const report = documentOf(ended)
    assert.deepEqual([ended.code, report.verdict], [76, 'failed'], ended.stderr)
    assert.equal(existsSync(unpacked.lib), false)
  })
})
