import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../lab/packages.js'

const builder = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'dist/packaging/build/main.js'), ...args], { encoding: 'utf8' })

test('the builder tells what it takes, and makes nothing of what it does not know', () => {
  const help = builder('--help')
  assert.equal(help.status, 0)
  assert.match(help.stdout, /^npm run package \[-- --architecture amd64\|arm64\]\n/)
  for (const [args, problem] of [
    [['--architecture', 'mips'], /^there is no architecture mips\n\nnpm run package/],
    [['--slow'], /^Unknown option '--slow'/],
  ] as const) {
    const { status, stdout, stderr } = builder(...args)
    assert.deepEqual([status, stdout], [64, ''])
    assert.match(stderr, problem)
  }
})
