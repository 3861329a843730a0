import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { trim } from '../../src/act/trim.js'
import type { Exec, ExecResult, World } from '../../src/model/world.js'
import { exec } from '../../src/system/exec.js'
import { elsewhere, mountsRefused, noise, temporary } from './fixtures.js'

const never = new AbortController().signal

/** What the actor makes of an exec, asked to trim the file system of `path`. */
async function trimmed(path: string, run: Exec, stop: AbortSignal = never) {
  const calls: (readonly string[])[] = []
  const world = {
    exec: (command, args, signal) => {
      calls.push([command, ...args])
      return run(command, args, signal)
    },
  } satisfies Partial<World> as unknown as World
  const view = { clusterId: '1', local: undefined, members: [] }
  return { outcome: await trim({ kind: 'trim', path }, { world, view, stop }), calls }
}

const answers =
  (answer: Partial<ExecResult>): Exec =>
  async () => ({ exitCode: 0, stdout: '', stderr: '', ...answer })

/** A data directory as etcd makes it. */
async function withData() {
  const { path, ...disposable } = await temporary()
  await mkdir(join(path, 'member'))
  return { ...disposable, path }
}

/** Asks until there is an answer, for some seconds. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 2000; tries++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await setTimeout(2)
  }
  throw new Error('waited in vain')
}

describe('a trim', () => {
  for (const [said, bytes] of [
    ['/x: 88.2 MiB (92484608 bytes) trimmed', 92484608],
    ['/x: 0 B (0 bytes) trimmed', 0],
    ['/var/lib/etcd: 1 TiB (1099511627776 bytes) trimmed on /dev/sda1', 1099511627776],
  ] as const)
    it(`reads the bytes out of "${said}"`, async () => {
      await using data = await withData()
      const { outcome, calls } = await trimmed(data.path, answers({ stdout: `${said}\n` }))
      assert.deepEqual(outcome, { kind: 'done', result: { bytes, said }, warnings: [] })
      assert.deepEqual(calls, [['fstrim', '-v', data.path]])
    })

  it('that fstrim refuses is a warning in its own words', async () => {
    await using data = await withData()
    const stderr = 'fstrim: /x: the discard operation is not supported\n'
    const { outcome } = await trimmed(data.path, answers({ exitCode: 1, stderr }))
    assert.deepEqual(outcome, { kind: 'warned', problem: `trim of ${data.path}: ${stderr.trim()}` })
  })

  it('that fails without a word is a warning with the exit code', async () => {
    await using data = await withData()
    const { outcome } = await trimmed(data.path, answers({ exitCode: 64 }))
    assert.deepEqual(outcome, { kind: 'warned', problem: `trim of ${data.path}: fstrim ended with 64` })
  })

  it('without fstrim is a warning', async () => {
    await using data = await withData()
    const absent: Exec = (_, args, signal) => exec('etcd-defrag-no-such-program', args, signal)
    const { outcome } = await trimmed(data.path, absent)
    const problem = `trim of ${data.path}: etcd-defrag-no-such-program is not installed`
    assert.deepEqual(outcome, { kind: 'warned', problem })
  })

  for (const what of ['nothing', 'a file'] as const)
    it(`is not tried where \`member\` is ${what}`, async () => {
      await using folder = await temporary()
      if (what === 'a file') await writeFile(join(folder.path, 'member'), '')
      const { outcome, calls } = await trimmed(folder.path, answers({}))
      assert.equal(outcome.kind, 'warned')
      assert.match(outcome.problem, /no etcd data there.*--data-dir or use --no-trim$/)
      assert.deepEqual(calls, [])
    })

  it('that is stopped rejects with the reason, and its program ends', async () => {
    await using data = await withData()
    const stop = new AbortController()
    const file = join(data.path, 'pid')
    const slow: Exec = (_, __, signal) => exec('sh', ['-c', `echo $$ >${file}; exec sleep 60`], signal)
    const running = trimmed(data.path, slow, stop.signal)
    const pid = await until(async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined)
    stop.abort('SIGTERM')
    await assert.rejects(running, error => error === 'SIGTERM')
    await until(async () => !existsSync(`/proc/${pid}`) || undefined)
  })

  it('that was stopped before it began rejects', async () => {
    await using data = await withData()
    const real: Exec = (_, __, signal) => exec('true', [], signal)
    await assert.rejects(trimmed(data.path, real, AbortSignal.abort('SIGTERM')), error => error === 'SIGTERM')
  })

  const skip =
    mountsRefused() ||
    (spawnSync('losetup', ['-f']).status !== 0 && 'needs a loop device, and root to set it up')
  it('gives the blocks of a file deleted a moment ago back to the disk', { skip }, async () => {
    await using tmp = await temporary()
    const disk = join(tmp.path, 'disk')
    await using mount = await elsewhere(
      `truncate -s 32M "$1/disk"
      mkfs.ext4 -q -E nodiscard "$1/disk"
      mkdir "$1/data"
      mount -o loop "$1/disk" "$1/data"
      mkdir -p "$1/data/member/snap"`,
      tmp.path,
    )
    const data = mount.see(join(tmp.path, 'data'))
    /** Where the mount is, since fstrim resolves the path it is given. */
    const inside: Exec = (command, args, signal) => {
      const own = args.map(arg => (arg === data ? join(tmp.path, 'data') : arg))
      return exec('nsenter', ['-m', '-t', String(mount.pid), command, ...own], signal)
    }
    const allocated = async () => (await stat(disk)).blocks * 512
    const size = 12 << 20

    await writeFile(join(data, 'member/snap/db'), noise(size))
    await inside('sync', ['-f', data], never)
    const full = await allocated()
    await rm(join(data, 'member/snap/db'))

    const { outcome } = await trimmed(data, inside)
    assert.equal(outcome.kind, 'done', JSON.stringify(outcome))
    assert.ok(outcome.result.bytes >= size, outcome.result.said)
    const freed = full - (await allocated())
    assert.ok(freed >= size, `${freed} bytes were given back`)
  })
})

describe('a program', () => {
  it('that ends is told with its exit code and both of its outputs, whatever the code', async () => {
    const ended = await exec('sh', ['-c', 'echo out; echo err >&2; exit 3'], never)
    assert.deepEqual(ended, { exitCode: 3, stdout: 'out\n', stderr: 'err\n' })
  })

  it("runs in the C locale, with root's path and nothing of our environment", async () => {
    const { stdout } = await exec('env', [], never)
    const expected = ['LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']
    assert.deepEqual(stdout.trim().split('\n').sort(), expected)
  })

  it('gets its arguments as they are, no shell in between', async () => {
    const { stdout } = await exec('printf', ['%s|', '$HOME', 'a b', '; false'], never)
    assert.equal(stdout, '$HOME|a b|; false|')
  })

  it('that is killed is no success', async () => {
    await assert.rejects(exec('sh', ['-c', 'kill -9 $$'], never))
  })
})
