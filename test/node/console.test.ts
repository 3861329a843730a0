import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Cluster } from '../lab/cluster.js'
import { built, type CommandOptions, documentOf, type Ended, etcdDefrag } from '../lab/command.js'

type Variables = Readonly<Record<string, string>>
type Line = Readonly<Record<string, unknown>>

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** Runs the command on a pseudo-terminal of so many columns; what both streams showed is in `stdout`. */
function onTerminal(args: readonly string[], env: Variables = {}, columns = 100): Promise<Ended> {
  const command = [...built, ...args].map(quoted).join(' ')
  const size = columns === 0 ? '' : `stty cols ${columns} rows 30;`
  // script(1) takes one line for a shell; the words that the lab puts behind are that shell's unused $0, $1, …
  const through = ['sh', '-c', 'exec script -qec "$LINE" /dev/null']
  return etcdDefrag([], {
    env: { TERM: 'xterm', SHELL: '/bin/sh', LINE: `${size} ${command}`, ...env },
    through,
  })
}

const noTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'needs script(1) of util-linux'

const linesOf = (text: string): readonly string[] => text.split('\n').filter(line => line !== '')
const parsed = (text: string): readonly Line[] => linesOf(text).map(line => JSON.parse(line) as Line)
const ESCAPE = '\u001b'
/** Escapes that set colours; those that move the cursor are others. */
const colors = new RegExp(`${ESCAPE}\\[[0-9;]*m`)
const cursorToStart = `${ESCAPE}[1G`

describe('a run', { concurrency: 2 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ size: 1, tls: false })
  })
  after(() => cluster[Symbol.asyncDispose]())

  let count = 0
  const job = (): readonly string[] => {
    const [member] = cluster.members
    assert.ok(member)
    count += 1
    const path = join(cluster.folder, `backup-${count}.xz`)
    // The runs of these tests share a cluster, and one waits for the other.
    return [
      'run',
      ...cluster.flags(member),
      '--force-single',
      '--wait',
      '1m',
      '--no-trim',
      '--backup-path',
      path,
    ]
  }
  const unreachable = ['run', '--endpoints', 'http://127.0.0.1:1', '--no-trim', '--no-backup']

  describe('on a terminal', { skip: noTerminal }, () => {
    test('shows live lines, a line for each step and a summary in colours', async () => {
      const { code, stdout } = await onTerminal(job())
      assert.equal(code, 0, stdout)
      assert.match(stdout, colors)
      const plain = stripVTControlCharacters(stdout)
      assert.match(plain, /[⠋-⠿] defragment m1 · \d/)
      assert.match(plain, /✔ defragment m1 · [\d.]+ KiB → [\d.]+ KiB · [\d.]+ m?s\r?\n/)
      assert.match(plain, /✔ back up m1 to \/\S+ · [\d.]+ KiB → [\d.]+ (?:KiB|B), verified · [\d.]+ m?s\r?\n/)
      assert.match(plain, /MEMBER +BEFORE +AFTER +RECLAIMED/)
      assert.match(plain, /backup +\/\S+, .*verified, SHA-256 [0-9a-f]{16}…/)
      assert.match(plain, /completed · .* reclaimed from 1 member\r?\n$/)
      assert.doesNotMatch(plain, /^\{/m)
    })

    test('shows no colours with NO_COLOR, and shows them when it is empty', async () => {
      const without = await onTerminal(job(), { NO_COLOR: '1' })
      assert.equal(without.code, 0)
      assert.match(stripVTControlCharacters(without.stdout), /✔ defragment m1/)
      assert.doesNotMatch(without.stdout, colors)
      assert.match((await onTerminal(job(), { NO_COLOR: '' })).stdout, colors)
    })

    test('writes no escapes at all on a terminal that is dumb', async () => {
      const { code, stdout } = await onTerminal(job(), { TERM: 'dumb' })
      assert.equal(code, 0)
      assert.match(stdout, /✔ defragment m1/)
      assert.ok(!stdout.includes(ESCAPE), JSON.stringify(stdout))
    })

    test('keeps its live lines within the terminal', async () => {
      const { stdout } = await onTerminal(job(), {}, 40)
      const live = stdout.replaceAll(cursorToStart, '\n').split(/\r?\n/).map(stripVTControlCharacters)
      const spinning = live.filter(line => /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/.test(line))
      assert.ok(spinning.length > 0)
      for (const line of spinning) assert.ok(line.length < 40, line)
    })

    test('says why it could not begin, and has the code of it', async () => {
      const { code, stdout } = await onTerminal(unreachable)
      assert.equal(code, 69)
      assert.match(
        stripVTControlCharacters(stdout),
        /failed: etcd cannot be reached: http:\/\/127\.0\.0\.1:1: /,
      )
    })
  })

  test('tells its events as JSON lines of stable fields where there is no terminal', async () => {
    const { code, stdout, stderr } = await etcdDefrag(job())
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' })
    const events = parsed(stderr).filter(({ event }) => event !== 'waiting') // a member may be slow
    assert.deepEqual(
      events.map(({ event, level, step }) => [event, level, step]),
      [
        ['started', 'info', undefined],
        ['stepStarted', 'info', 'defragment'],
        ['stepEnded', 'info', 'defragment'],
        ['stepStarted', 'info', 'snapshot'],
        ['stepEnded', 'info', 'snapshot'],
        ['ended', 'info', undefined],
      ],
    )
    // For who reads nothing else of a line.
    const sentences = [
      /^run begins at http/,
      /^step begins: defragment m1$/,
      /^step ends done: defragment m1 · \S+ .iB → \S+ .iB · \S+ m?s$/,
      /^step begins: back up m1 to \/\S+$/,
      /^step ends done: back up m1 to \/\S+ · \S+ .iB → \S+ (?:.i)?B, verified · \S+ m?s$/,
      /^run ends: completed$/,
    ]
    for (const [i, { msg }] of events.entries()) assert.match(String(msg), sentences[i] ?? /never/)
    for (const { time } of events) assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const [, , defragmented, , , ended] = events
    assert.equal(defragmented?.['outcome'], 'done')
    assert.deepEqual([ended?.['verdict'], ended?.['exitCode'], ended?.['reason']], ['completed', 0, null])
    assert.ok(!stderr.includes(ESCAPE))
  })

  test('prints exactly one JSON document with --output json, on a good and a bad day', async () => {
    const good = await etcdDefrag([...job(), '--output', 'json'])
    const { format, verdict, exitCode, steps, before: was, after: is } = documentOf(good)
    assert.deepEqual([format, verdict, exitCode, good.code, steps.length], [1, 'completed', 0, 0, 2])
    assert.deepEqual([was.members.length, is.members.length], [1, 1])
    const bad = await etcdDefrag([...unreachable, '--output', 'json'])
    assert.deepEqual([documentOf(bad).exitCode, documentOf(bad).verdict, bad.code], [69, 'failed', 69])
    const wrong = await etcdDefrag([...unreachable, '--output', 'json', '--cacert', '/nope'])
    assert.deepEqual(
      [documentOf(wrong).exitCode, documentOf(wrong).fault.kind, wrong.code],
      [78, 'config', 78],
    )
  })

  describe('in the journal', () => {
    /** Started with JOURNAL_STREAM as systemd has it: the device and inode of what standard error is. */
    const journal = (file: number): CommandOptions => ({
      through: ['sh', '-c', `JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/${file}) exec "$@"`, 'sh'],
    })

    test('begins every line with its priority', async () => {
      const { code, stderr } = await etcdDefrag(job(), journal(2))
      assert.equal(code, 0)
      for (const line of linesOf(stderr)) assert.match(line, /^<6>\{/)
      assert.equal(parsed(stderr.replaceAll(/^<\d>/gm, '')).at(-1)?.['verdict'], 'completed')
    })

    test('gives an error the priority of one', async () => {
      const { stderr } = await etcdDefrag(unreachable, journal(2))
      assert.match(stderr, /^<3>\{"level":"error",.*"event":"ended"/m)
    })

    test('gives what is wrong with the configuration the priority of an error', async () => {
      const { code, stderr } = await etcdDefrag([...unreachable, '--cacert', '/nope'], journal(2))
      assert.equal(code, 78)
      assert.match(stderr, /^<3>.*--cacert: \/nope cannot be read/)
    })

    test('has no priorities where the journal is not what standard error is', async () => {
      for (const options of [
        journal(0),
        { env: { JOURNAL_STREAM: '8:12345' } },
        { env: { JOURNAL_STREAM: '' } },
      ])
        assert.match(
          (await etcdDefrag(unreachable, options)).stderr,
          /^\{"level":"info".*\n\{"level":"error"/,
        )
    })
  })

  describe('whose reader leaves', () => {
    /** Its exit code comes from a file: the pipe has nobody at its end. */
    async function piped(redirection: string, args: readonly string[]): Promise<string> {
      const file = join(cluster.folder, `code-${redirection.length}`)
      const script = `{ "$@" ${redirection}; echo "$?" > ${quoted(file)}; } | true`
      await etcdDefrag(args, { through: ['sh', '-c', script, 'sh'] })
      return (await readFile(file, 'utf8')).trim()
    }

    test('goes on when standard output is closed', async () => {
      const [member] = cluster.members
      assert.ok(member)
      const path = join(cluster.folder, 'unread.xz')
      assert.equal(await piped('', [...job().slice(0, -1), path, '--output', 'json']), '0')
      assert.ok((await readFile(path)).length > 0)
    })

    test('goes on when standard error is closed', async () => {
      const path = join(cluster.folder, 'unheard.xz')
      assert.equal(await piped('2>&1', [...job().slice(0, -1), path]), '0')
      assert.ok((await readFile(path)).length > 0)
    })
  })
})

test('--help is readable on a terminal that does not know its width', { skip: noTerminal }, async () => {
  const { code, stdout } = await onTerminal(['--help'], {}, 0)
  assert.equal(code, 0)
  assert.match(stdout, /^ +--backup-path +FILE {2}where the backup goes/m)
})
