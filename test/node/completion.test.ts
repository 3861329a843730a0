import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { commandNames } from '../../src/cli/commands.js'
import { parse } from '../../src/cli/parse.js'
import { root } from '../documents/sources.js'
import { type Completer, fish, Shell } from '../lab/shell.js'

const run = promisify(execFile)

const shells: Readonly<Record<string, (folder: string) => Promise<Completer>>> = {
  'bash alone': folder => Shell.bash(folder, 'sourced'),
  'bash with the bash-completion package': folder => Shell.bash(folder, 'packaged'),
  zsh: Shell.zsh,
  fish,
}

/** The flags that --help shows for a command. */
async function flagsInHelp(command: string): Promise<readonly string[]> {
  const request = await parse([...command.split(' '), '--help'], '0.0.0', 110)
  assert.ok(request.kind === 'print')
  return [...request.text.matchAll(/^(?: {6}| {2}-h, )(--[a-z-]+)/gm)].map(([, flag = '']) => flag)
}

const sorted = (words: readonly string[]): readonly string[] => [...words].sort()

/** A folder with a backup in it, whose name has a space, and a folder. */
async function home(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-completion-'))
  await writeFile(join(folder, 'my backup.xz'), '')
  await mkdir(join(folder, 'my folder'))
  return folder
}

for (const [name, open] of Object.entries(shells)) {
  describe(`completion in ${name}`, () => {
    let folder: string
    let shell: Completer
    before(async () => {
      folder = await home()
      shell = await open(folder)
    })
    after(async () => {
      await shell[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    })
    const offers = async (line: string) => sorted(await shell.offers(line))

    test('offers the commands there are, and behind the first word of a family its others', async () => {
      const first = [...new Set(commandNames.map(command => command.split(' ')[0] ?? ''))]
      assert.deepEqual(await offers('etcd-defrag '), sorted(first))
      for (const word of first) {
        const family = commandNames.filter(command => command.startsWith(`${word} `))
        const second = family.map(command => command.slice(word.length + 1))
        if (second.length > 0) assert.deepEqual(await offers(`etcd-defrag ${word} `), sorted(second))
      }
      assert.deepEqual(await offers('etcd-defrag ba'), ['backup'])
      assert.deepEqual(await offers('etcd-defrag backup ve'), ['verify'])
      assert.deepEqual(await offers('etcd-defrag nonsense'), [])
      assert.deepEqual(await offers('etcd-defrag status pl'), [])
      assert.deepEqual(await offers('etcd-defrag backup list ve'), [])
    })

    test('offers for each command the flags that its --help shows, and no other', async () => {
      for (const command of commandNames)
        assert.deepEqual(
          await offers(`etcd-defrag ${command} --`),
          sorted(await flagsInHelp(command)),
          command,
        )
      assert.deepEqual(await offers('etcd-defrag --'), sorted(await flagsInHelp('run')))
    })

    test('offers the values of a flag that has few, behind a space and behind =', async () => {
      for (const between of [' ', '=']) {
        assert.deepEqual(await offers(`etcd-defrag status --output${between}`), ['json', 'text'])
        assert.deepEqual(await offers(`etcd-defrag status --output${between}j`), ['json'])
        assert.deepEqual(await offers(`etcd-defrag pause --scope${between}`), ['cluster', 'node'])
        assert.deepEqual(await offers(`etcd-defrag backup restore --runtime${between}s`), [
          'static-pod',
          'systemd',
        ])
        assert.deepEqual(await offers(`etcd-defrag --output${between}q`), [])
        assert.deepEqual(await offers(`etcd-defrag --settle-timeout${between}my`), [])
      }
    })

    test('offers files where a flag takes a file, and folders only where it takes a folder', async () => {
      const plain = async (line: string) => (await offers(line)).map(word => word.replace(/\/$/, ''))
      for (const between of [' ', '=']) {
        assert.deepEqual(await plain(`etcd-defrag --config${between}my`), ['my backup.xz', 'my folder'])
        assert.deepEqual(await plain(`etcd-defrag --data-dir${between}my`), ['my folder'])
      }
    })

    test('offers files to a command that works on one, until it has it', async () => {
      for (const command of ['backup verify', 'backup show', 'backup restore', 'backup drill']) {
        const found = (await offers(`etcd-defrag ${command} my`)).map(word => word.replace(/\/$/, ''))
        assert.deepEqual(found, ['my backup.xz', 'my folder'], command)
        assert.deepEqual(await offers(`etcd-defrag ${command} /etc/hosts my`), [], command)
      }
      assert.deepEqual(await offers('etcd-defrag backup list my'), [])
      assert.deepEqual(await offers('etcd-defrag run my'), [])
    })

    test('offers no flag that is there already, nor its opposite; --endpoints may be there again', async () => {
      const given =
        'etcd-defrag backup restore --plan --runtime systemd --etcdutl=/bin/true --no-bump-revision --'
      const gone = ['--plan', '--runtime', '--etcdutl', '--bump-revision', '--no-bump-revision']
      const left = (await flagsInHelp('backup restore')).filter(flag => !gone.includes(flag))
      assert.deepEqual(await offers(given), sorted(left))
      assert.deepEqual(await offers('etcd-defrag --endpoints https://127.0.0.1:2379 --endp'), ['--endpoints'])
    })

    test('finds the command behind flags and their values, and takes none of these for it', async () => {
      assert.deepEqual(await offers('etcd-defrag --no-trim --config /x sta'), ['status'])
      assert.deepEqual(await offers('etcd-defrag --endpoints https://127.0.0.1:2379 backup cr'), ['create'])
      assert.deepEqual(await offers('etcd-defrag --endpoints=https://10.0.0.1:2379,b:1 pau'), ['pause'])
      assert.deepEqual(await offers('etcd-defrag --user status backup --output json dri'), ['drill'])
      assert.deepEqual(await offers('etcd-defrag backup --output=json list --backup-p'), ['--backup-path'])
    })
  })
}

test('zsh and fish say beside a command and a flag what it does', async () => {
  const folder = await home()
  try {
    await using shell = await Shell.zsh(folder)
    const said = 'show what is in a backup, with the hash of etcdutl snapshot status'
    assert.match(
      await shell.possibilities('etcd-defrag backup ', said),
      /\bshow +-- show what is in a backup/,
    )
    const flag = await shell.possibilities('etcd-defrag status --sh', 'came from')
    assert.match(flag, /--show-config +-- every option, its value and where it came from/)
    const { described } = await fish(folder)
    assert.match(await described('etcd-defrag backup '), new RegExp(`^show\t${said}$`, 'm'))
    assert.match(await described('etcd-defrag --settle'), /^--settle-timeout\tlongest wait .* \(1m\)$/m)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('shellcheck has nothing to say of the completion for bash', async () => {
  await run('shellcheck', [join(root, 'packaging/completion/etcd-defrag.bash')])
})
