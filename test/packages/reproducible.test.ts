import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { call } from '../../packaging/build/programs.js'
import { debOf, root } from '../lab/packages.js'

const sha256 = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

test('packages built elsewhere, later, with another mask, time zone and language are the same to the byte', {
  timeout: 300_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-again-'))
  try {
    // A copy, so that its files have other times and another order in their folders.
    const tree = join(folder, 'elsewhere')
    await mkdir(join(tree, 'dist'), { recursive: true })
    for (const name of [
      'package.json',
      'LICENSE',
      'src',
      'systemd',
      'packaging',
      'dist/packaging',
      'dist/src',
    ])
      await cp(join(root, name), join(tree, name), { recursive: true })
    await symlink(join(root, 'node_modules'), join(tree, 'node_modules'))
    const build = 'umask 077; exec "$0" dist/packaging/build/main.js --fast --folder made'
    await call('sh', ['-c', build, process.execPath], {
      cwd: tree,
      env: { ...here(), TMPDIR: folder, TZ: 'Pacific/Auckland', LANG: 'de_DE.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
    })
    const [before, again] = [join(debOf('amd64'), '..'), join(tree, 'made')]
    const names = (await readdir(before)).sort()
    assert.equal(names.length, 4)
    assert.deepEqual((await readdir(again)).sort(), names)
    for (const name of names)
      assert.equal(await sha256(join(again, name)), await sha256(join(before, name)), name)
  } finally {
    await rm(folder, { recursive: true })
  }
})

/** Where npm and the cache are found. */
const here = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'XDG_CACHE_HOME'].flatMap(name => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
