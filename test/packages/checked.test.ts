import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { call } from '../../packaging/build/programs.js'
import { architectures } from '../../packaging/build/target.js'
import { debOf, root, rpmOf } from '../lab/packages.js'

const debScripts = ['preinst', 'postinst', 'prerm', 'postrm'] as const
const rpmScripts = ['PREIN', 'POSTIN', 'PREUN', 'POSTUN'] as const

test('lintian finds nothing that is not explained', async () => {
  const found = await call('lintian', ['--allow-root', '--fail-on', 'error,warning', debOf('amd64')])
  assert.equal(found, '')
})

test('rpmlint finds nothing that is not explained', async () => {
  const rpms = architectures.map(rpmOf)
  const found = await call('rpmlint', ['-c', join(root, 'packaging/rpmlint.toml'), ...rpms])
  assert.match(found, / 0 errors, 0 warnings/)
})

describe('maintainer scripts', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-scripts-'))
    for (const name of debScripts)
      await writeFile(join(folder, name), await call('dpkg-deb', ['--info', debOf('amd64'), name]))
    for (const name of rpmScripts)
      await writeFile(
        join(folder, name),
        await call('rpm', ['-qp', '--queryformat', `%{${name}}\n`, rpmOf('amd64')]),
      )
  })
  after(() => rm(folder, { recursive: true }))

  test('are POSIX sh without a complaint of shellcheck', async () => {
    for (const name of [...debScripts, ...rpmScripts])
      await call('shellcheck', ['--shell', 'sh', '--severity', 'style', join(folder, name)])
  })

  /** What the script that runs before files land says on a machine where these programs print that. */
  async function onMachine(name: 'preinst' | 'PREIN', programs: Readonly<Record<string, string>>) {
    const bin = await mkdtemp(join(folder, 'bin-'))
    for (const [program, body] of Object.entries({ uname: 'echo x86_64', head: 'cat', ...programs })) {
      await writeFile(join(bin, program), `#!/bin/sh\n${body}\n`)
      await chmod(join(bin, program), 0o755)
    }
    const { status, stderr } = spawnSync('/bin/sh', [join(folder, name), 'install'], {
      encoding: 'utf8',
      env: { PATH: `${bin}:/bin:/usr/bin`, LC_ALL: 'C' },
    })
    return { status, stderr }
  }
  const glibc = (version: string) => ({ getconf: `echo glibc ${version}` })

  for (const name of ['preinst', 'PREIN'] as const) {
    test(`${name} lets a glibc of 2.28 and later pass, and one that cannot be asked for`, async () => {
      for (const version of ['2.28', '2.31', '2.100', '2.28.9000'])
        assert.deepEqual(await onMachine(name, glibc(version)), { status: 0, stderr: '' }, version)
      const silent = { getconf: 'exit 1', ldd: 'exit 127' }
      assert.deepEqual(await onMachine(name, silent), { status: 0, stderr: '' })
    })

    test(`${name} refuses an older glibc, musl and another processor in one message`, async () => {
      const cases = [
        [glibc('2.27'), /^etcd-defrag: glibc 2\.28 or later is needed, and this machine has 2\.27: .*\n$/],
        [glibc('2.17'), /this machine has 2\.17: .*; nothing was installed\n$/],
        [
          { getconf: 'exit 1', ldd: 'echo "musl libc (x86_64)" >&2; exit 1' },
          /^etcd-defrag: glibc 2\.28 or later is needed, and this machine has musl, .*\n$/,
        ],
        [
          { uname: 'echo aarch64' },
          /^etcd-defrag: this package is for x86_64, and this machine is aarch64: .*\n$/,
        ],
      ] as const
      for (const [programs, message] of cases) {
        const { status, stderr } = await onMachine(name, programs)
        assert.equal(status, 1)
        assert.match(stderr, message)
      }
    })
  }
})
