import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { commandNames } from '../../src/cli/commands.js'
import { commandOptionNames } from '../../src/config/commandOptions.js'
import { flagOf, optionNames, options, variableOf } from '../../src/config/options.js'
import { exitCodeMeanings } from '../../src/model/verdict.js'
import { root } from '../documents/sources.js'

const run = promisify(execFile)
const pages = ['etcd-defrag.8', 'etcd-defrag.yaml.5'].map(name => join(root, 'packaging/man', name))
const [program = '', file = ''] = pages

/** A page as man(1) shows it on a wide terminal, with one space between words. */
async function shown(page: string): Promise<string> {
  const env = { PATH: process.env['PATH'], MANWIDTH: '200', LC_ALL: 'C.UTF-8' }
  const { stdout } = await run('man', ['--no-hyphenation', '-l', page], { env })
  return stdout.replaceAll(/ +/g, ' ') // to a pipe, man(1) writes no bold type
}

test('mandoc and groff have nothing to say of the manual pages', async () => {
  const lint = await run('mandoc', ['-T', 'lint', '-W', 'all', ...pages])
  assert.equal(lint.stdout + lint.stderr, '')
  for (const page of pages) {
    // As lintian does (tag groff-message).
    const args = ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page]
    const { stderr } = await run('man', args, { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
    assert.equal(stderr, '', page)
  }
})

test('etcd-defrag(8) shows each command, flag, variable and exit code as it is typed', async () => {
  const lines = (await shown(program)).split('\n').map(line => line.trim())
  const begins = (text: string) =>
    assert.ok(
      lines.some(line => line === text || line.startsWith(`${text} `)),
      text,
    )
  for (const name of commandNames) begins(`etcd-defrag ${name}`)
  for (const name of optionNames) begins(flagOf(name))
  for (const name of commandOptionNames) begins(`--${name}`)
  for (const name of optionNames)
    assert.match(
      lines.join('\n'),
      new RegExp(`^Variable: ${variableOf(name)}(=false)?(, ETCDCTL_[A-Z_]+)?$`, 'm'),
    )
  for (const [code, meaning] of exitCodeMeanings)
    assert.ok(lines.includes(`${code} ${meaning}`), String(code))
})

test('etcd-defrag.yaml(5) shows each key with its type and default', async () => {
  const text = await shown(file)
  for (const name of optionNames.filter(name => !('notInFile' in options[name]))) {
    const [, entry = ''] = text.split(new RegExp(`^ +${name}:`, 'm'))
    assert.match(entry, /^[\s\S]*?\n Type: .+\n (Default: .+|Not set by default.*)\n/, name)
    assert.ok(entry.includes(options[name].about.split(' ').slice(0, 3).join(' ')), name)
  }
})
