import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { commandNames } from '../../src/cli/commands.js'
import { commandOptionNames, commandOptions } from '../../src/config/commandOptions.js'
import { flagOf, optionNames, options } from '../../src/config/options.js'
import { exitCodeMeanings } from '../../src/model/verdict.js'
import { smallDatabase } from '../lab/boltFile.js'
import { Cluster } from '../lab/cluster.js'
import { built, type Ended, etcdDefrag, main } from '../lab/command.js'
import { snapshotOf, temporary } from '../unit/fixtures.js'

describe('a command line that is not understood', () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ size: 1, tls: false })
  })
  after(() => cluster[Symbol.asyncDispose]())

  /** Arguments behind those with which a run would do all its work, of which `without` leaves one out. */
  function attempt(args: readonly string[], without = ''): Promise<Ended> {
    const [member] = cluster.members
    assert.ok(member)
    const job = ['--force-single', '--no-trim', `--backup-path=${join(cluster.folder, 'backup.xz')}`]
    const kept = without === '' ? job : job.filter(word => !word.startsWith(without))
    return etcdDefrag([...kept, ...cluster.flags(member), ...args])
  }

  describe('is refused', { concurrency: 2 }, () => {
    for (const [args, message, without] of [
      [['--force-singel'], /unknown --force-singel; did you mean --force-single\?; nothing was run/],
      [['--no-bakup'], /unknown --no-bakup; did you mean --no-backup\?/],
      [['--forceSingle'], /unknown --forceSingle; did you mean --force-single\?/],
      [['--no-force-single'], /unknown --no-force-single; did you mean --force-single\?/],
      [['-x'], /unknown -x; nothing was run, see etcd-defrag --help/],
      [['rum'], /unknown command rum; did you mean run\?; nothing was run/],
      [['status', 'run'], /status takes no argument run; nothing was run/],
      [['backup'], /unknown command backup; there is backup create, backup list/],
      [['backup', 'verfy'], /unknown command backup verfy; did you mean backup verify\?/],
      [['backup', 'restore'], /backup restore takes a file; nothing was run/],
      [['backup', 'verify', '/a', '/b'], /backup verify takes one file, and \/b is another/],
      [['--force-single=maybe'], /--force-single: is "maybe"; expected true or false/, '--force-single'],
      [['-force-single=maybe'], /force-single/, '--force-single'],
      [['--force-single', 'maybe'], /unknown command maybe/, '--force-single'],
      [['--force-single', '--force-single=false'], /--force-single/, '--force-single'],
      [['--no-backup', '--no-backup=false'], /--no-backup/],
      [['--no-backup', '--backup'], /--no-backup: stands beside --backup; keep one of them/],
      [['--backup-path', '/b'], /--backup-path: is there more than once; keep one/],
      [['--backup-path'], /Not enough arguments following: backup-path/, '--backup-path'],
      [['--backup-path='], /backup-path/, '--backup-path'],
      [['--backup-path', 'b.xz'], /--backup-path: is "b\.xz"; expected an absolute path/, '--backup-path'],
      [['--settle-timeout', '5'], /--settle-timeout: is "5"; expected a duration such as 5s, 500ms or 1m30s/],
      [['--settle-timeout', '-5s'], /--settle-timeout: is "-5s"; expected a duration/],
      [['--settle-timeout', '0s'], /--settle-timeout: is "0s"; expected more than 0 and at most 24h/],
      [['--settle-timeout', '25h'], /--settle-timeout: is "25h"; expected more than 0 and at most 24h/],
      [['--output', 'xml'], /--output: is "xml"; expected text or json/],
      [['--show-config'], /--show-config: goes with the command status/],
      [['--show-config=maybe'], /--show-config/],
      [['--help=maybe'], /--help/],
      [['--version=1'], /--version/],
      [['--', '--no-backup'], /unknown command --no-backup|takes no argument --no-backup/],
      [['--endpoints', 'etcd'], /--endpoints: has "etcd"; expected http:\/\/HOST:PORT/],
    ] as readonly (readonly [readonly string[], RegExp, string?])[])
      test(args.join(' '), async () => {
        const { code, stdout, stderr } = await attempt(args, without)
        assert.deepEqual({ code, stdout }, { code: 78, stdout: '' }, stderr)
        assert.match(stderr, message)
        assert.equal(stderr.split('\n').length, 2, `one line is enough:\n${stderr}`)
      })
  })

  test('none of them has touched etcd or written a backup', async () => {
    const [member] = cluster.members
    assert.ok(member)
    assert.equal(await cluster.defragmentations(member), 0)
    assert.deepEqual(
      (await readdir(cluster.folder)).filter(name => name.includes('backup')),
      [],
    )
  })

  test('the same run with nothing wrong does touch it', async () => {
    const [member] = cluster.members
    assert.ok(member)
    const before = await cluster.defragmentations(member)
    const { code, stderr } = await attempt([])
    assert.equal(code, 0, stderr)
    assert.equal(await cluster.defragmentations(member), before + 1)
  })
})

describe('--help', { concurrency: 2 }, () => {
  /** Blanks and line ends are as the width of the terminal has it. */
  const inOneLine = (text: string) => text.replaceAll(/\s+/g, ' ')

  const askings = ['run', 'plan', 'status', 'daemon', 'daemon settings'].map(name => [
    ...name.split(' '),
    '--help',
  ])
  for (const args of [['--help'], ['-h'], ...askings])
    test(args.join(' '), async t => {
      const { code, stdout, stderr } = await etcdDefrag(args)
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      const text = inOneLine(stdout)
      await t.test("shows every option with its default, and the daemon's to the daemon", () => {
        for (const name of optionNames) {
          const { about, fallback, group, shape } = options[name]
          if (group === 'Daemon' && args.length > 1 && args[0] !== 'daemon') {
            assert.doesNotMatch(stdout, new RegExp(`^ +${flagOf(name)} `, 'm'))
            continue
          }
          assert.match(stdout, new RegExp(`^ +${flagOf(name)} `, 'm'))
          assert.ok(text.includes(inOneLine(about)), `${name} is not explained`)
          if (fallback !== undefined && shape !== '') assert.ok(text.includes(`[default: ${fallback}]`), name)
        }
      })
      await t.test('shows the flags that are its own, and all of them where no command is named', () => {
        for (const name of commandOptionNames) {
          const owners: readonly string[] = commandOptions[name].commands
          const isShown = new RegExp(`^ +--${name} `, 'm').test(stdout)
          assert.equal(isShown, args.length === 1 || owners.includes(args[0] ?? ''), name)
        }
      })
      await t.test('shows every exit code and where values come from', () => {
        for (const [exitCode, meaning] of exitCodeMeanings)
          assert.ok(text.includes(` ${exitCode} ${meaning}`), `${exitCode} is not explained`)
        assert.ok(text.includes('ETCD_DEFRAG_BACKUP_PATH'))
      })
      await t.test("has none of its library's words for types", () => {
        assert.doesNotMatch(text, /\[(array|boolean|string|number)\]/)
      })
    })

  test('of backup lists what there is', async () => {
    const { code, stdout } = await etcdDefrag(['backup', '--help'])
    assert.equal(code, 0)
    for (const name of commandNames) assert.match(stdout, new RegExp(`^${name}( |$)`, 'm'))
  })

  test('of a command leaves out what means nothing to it', async () => {
    const { stdout } = await etcdDefrag(['backup', 'create', '--help'])
    assert.match(stdout, /--endpoints [\s\S]*--backup-keep [\s\S]*--force-unhealthy /)
    assert.doesNotMatch(stdout, /--max-stall|--force-single|--no-trim|--no-backup/)
    const { stdout: offline } = await etcdDefrag(['backup', 'verify', '--help'])
    assert.match(offline, /--backup-path /)
    assert.doesNotMatch(offline, /--endpoints|--backup-keep/)
  })

  test('is there however wrong the configuration is', async () => {
    const env = { ETCD_DEFRAG_XYZZY: '1', ETCD_DEFRAG_CONFIG: '/nope.yaml' }
    assert.equal((await etcdDefrag(['--help'], { env })).code, 0)
  })
})

test('--version prints the version of the package and nothing else', async () => {
  const { version } = JSON.parse(await readFile(join(main, '../../../package.json'), 'utf8')) as {
    version: string
  }
  assert.deepEqual(await etcdDefrag(['--version']), {
    code: 0,
    signal: null,
    stdout: `${version}\n`,
    stderr: '',
  })
})

test('starts where Node.js was told not to warn of what is deprecated, as we tell it ourselves', async () => {
  const { code, stderr } = await etcdDefrag(['--version'], { env: { NODE_OPTIONS: '--no-deprecation' } })
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})

// At its end Node waits for V8's threads: with a compiler that takes longer than the test, one that had any would not end.
test('no thread of V8 compiles, which could keep the process from ending', async () => {
  await using folder = await temporary()
  const archive = join(folder.path, 'snapshot.db')
  await writeFile(archive, snapshotOf(smallDatabase({ bytes: 16 * 2 ** 20 })))
  const tookMs = async (...flags: readonly string[]) => {
    const from = performance.now()
    const command = [process.execPath, ...flags, '--concurrent-recompilation-delay=3000', main]
    const ended = await etcdDefrag(['backup', 'verify', archive], { command })
    assert.equal(ended.code, 0, ended.stderr)
    return performance.now() - from
  }
  const [withThem, asBuilt] = [await tookMs(), await tookMs(...built.slice(1, -1))]
  assert.ok(withThem > 3000 && asBuilt < 3000, `${withThem} ms, and ${asBuilt} ms as built`)
})
