import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bundle } from '../../packaging/build/bundle.js'
import { copyrightOf, packagesIn } from '../../packaging/build/copyright.js'
import { debianDepends, glibcFloor, rpmRequires } from '../../packaging/build/depends.js'
import { type Needs, needsOf, together } from '../../packaging/build/elf.js'
import { call } from '../../packaging/build/programs.js'
import { fetchRuntime } from '../../packaging/build/runtime.js'
import { cacheFolder } from '../../packaging/build/source.js'
import { architectures, targets } from '../../packaging/build/target.js'
import { commandNames } from '../../src/cli/commands.js'
import { etcdDefrag } from '../lab/command.js'
import { debOf, root, rpmOf, Unpacked, version } from '../lab/packages.js'

type Installed = ReadonlyMap<string, string>

/** Every file and link with mode and owner, such as `-rw-r--r-- root/root`. */
async function inDeb(deb: string): Promise<Installed> {
  const lines = (await call('dpkg-deb', ['--contents', deb])).split('\n').filter(Boolean)
  const found = lines.map(line => /^(\S+) (\S+) +\d+ \S+ \S+ \.(\/\S*)( -> (\S+))?/.exec(line) ?? [])
  return new Map(
    found.flatMap(([, mode = '', owner, path = '', , to]) =>
      mode.startsWith('d') ? [] : [[path, `${mode} ${owner}${to === undefined ? '' : ` ${to}`}`]],
    ),
  )
}

async function inRpm(rpm: string): Promise<Installed> {
  const format = '[%{FILENAMES}\\t%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME}\\t%{FILELINKTOS}\\n]'
  const lines = (await call('rpm', ['-qp', '--queryformat', format, rpm])).split('\n').filter(Boolean)
  return new Map(
    lines.flatMap(line => {
      const [path = '', mode = '', to = ''] = line.split('\t')
      return mode.startsWith('d') ? [] : [[path, `${mode}${to === '' ? '' : ` ${to}`}`]]
    }),
  )
}

/** What only one of the two families has, or has elsewhere. */
const own = {
  deb: ['/usr/share/zsh/vendor-completions/_etcd-defrag', '/usr/share/lintian/overrides/etcd-defrag'],
  rpm: ['/usr/share/zsh/site-functions/_etcd-defrag', '/usr/share/licenses/etcd-defrag/LICENSE'],
} as const

for (const architecture of architectures)
  describe(`the packages for ${architecture}`, () => {
    const target = targets[architecture]
    let needs: Needs
    let unpacked: Unpacked
    before(async () => {
      unpacked = await Unpacked.of(debOf(architecture))
      const files = [join(unpacked.lib, 'node'), join(unpacked.lib, 'lzma.node')]
      needs = together(await Promise.all(files.map(needsOf)))
    })
    after(() => unpacked?.[Symbol.asyncDispose]())

    test('hold the same files, all of root and writable by nobody else', async () => {
      const [deb, rpm] = [await inDeb(debOf(architecture)), await inRpm(rpmOf(architecture))]
      const common = (all: Installed, less: readonly string[]) =>
        [...all].filter(([path]) => !less.includes(path)).sort()
      assert.deepEqual(common(deb, own.deb), common(rpm, own.rpm))
      for (const [path, about] of [...deb, ...rpm])
        assert.match(about, /^(-rw-r--r--|-rw-------|-rwxr-xr-x|l\S+) root\/root/, path)
      const secret = [...deb].filter(([, about]) => about.startsWith('-rw-------')).map(([path]) => path)
      assert.deepEqual(secret, ['/etc/etcd-defrag/config.yaml']) // it has a row for a password
      const programs = [...deb].filter(([, about]) => about.startsWith('-rwx')).map(([path]) => path)
      assert.deepEqual(programs.sort(), [
        '/usr/lib/etcd-defrag/dist/src/main.js',
        '/usr/lib/etcd-defrag/node',
      ])
    })

    test('hold what runs and what tells about it, and nothing else', async () => {
      const files = [...(await inDeb(debOf(architecture))).keys()]
      const places = new Set(files.map(path => path.replace(/\/[^/]+$/, '')))
      assert.deepEqual([...places].sort(), [
        '/etc/etcd-defrag',
        '/usr/bin',
        '/usr/lib/etcd-defrag',
        '/usr/lib/etcd-defrag/dist/src',
        '/usr/lib/systemd/system',
        '/usr/lib/systemd/system-preset',
        '/usr/share/bash-completion/completions',
        '/usr/share/doc/etcd-defrag',
        '/usr/share/doc/etcd-defrag/examples',
        '/usr/share/fish/vendor_completions.d',
        '/usr/share/lintian/overrides',
        '/usr/share/man/man5',
        '/usr/share/man/man8',
        '/usr/share/zsh/vendor-completions',
      ])
      const stray = files.filter(path => /\.(ts|map|proto|md5|c|h)$|test|prebuild|node_modules/.test(path))
      assert.deepEqual(stray, [])
      const conffiles = await call('dpkg-deb', ['--info', debOf(architecture), 'conffiles'])
      assert.equal(conffiles, '/etc/etcd-defrag/config.yaml\n')
      const config = await call('rpm', ['-qp', '--configfiles', rpmOf(architecture)])
      assert.equal(config, '/etc/etcd-defrag/config.yaml\n')
      const shipped = (await readdir(join(root, 'systemd'))).filter(name => /\.(service|timer)$/.test(name))
      const units = await readdir(join(unpacked.folder, 'usr/lib/systemd/system'))
      assert.deepEqual(units.sort(), shipped.sort())
    })

    test(`have Node and the addon for ${target.machine}, stripped, for glibc 2.28 and no library but those named`, async () => {
      assert.equal(needs.machine, target.machine)
      assert.equal(glibcFloor(needs), '2.28')
      assert.deepEqual(needs.libraries.filter(name => !name.startsWith('ld-linux-')).sort(), [
        'libc.so.6',
        'libdl.so.2',
        'libgcc_s.so.1',
        'libm.so.6',
        'libpthread.so.0',
        'libstdc++.so.6',
      ])
      for (const name of ['node', 'lzma.node'])
        assert.doesNotMatch(
          await call('readelf', ['--wide', '--sections', join(unpacked.lib, name)]),
          / \.(symtab|debug_info) /,
        )
    })

    test('are no larger than what was measured, and a little for what is to come', async () => {
      const files = (await readdir(unpacked.folder, { recursive: true, withFileTypes: true })).filter(entry =>
        entry.isFile(),
      )
      const sizes = await Promise.all(
        files.map(async ({ parentPath, name }) => {
          const path = join(parentPath, name)
          return { path: path.slice(unpacked.folder.length), size: (await stat(path)).size }
        }),
      )
      const below = (folder: string) => {
        const found = sizes.filter(({ path }) => path.startsWith(folder))
        return {
          files: found.length,
          kilobytes: Math.ceil(found.reduce((sum, { size }) => sum + size, 0) / 1000),
        }
      }
      /** Measured: 7 files of 2809 kB, 1202 of them compiled, 297 kB (330 for arm64), 15 of 322. Node is as large as it is published. */
      const atMost = [
        ['/usr/lib/etcd-defrag/dist/', 10, 3000],
        ['/usr/lib/etcd-defrag/lzma.node', 1, 350],
        ['/usr/share/', 17, 350],
        ['/usr/lib/systemd/', 8, 15],
        ['/', 88, 112_000],
      ] as const
      for (const [folder, mostFiles, mostKilobytes] of atMost) {
        const { files, kilobytes } = below(folder)
        const told = `${folder} has ${files} files of ${kilobytes} kB; ${mostFiles} and ${mostKilobytes} are expected at most`
        assert.ok(files > 0 && files <= mostFiles && kilobytes <= mostKilobytes, told)
      }
    })

    test('ask dpkg and rpm for just that', async () => {
      const field = async (name: string) =>
        (await call('dpkg-deb', ['--field', debOf(architecture), name])).trim()
      assert.equal(await field('Architecture'), architecture)
      assert.equal(await field('Version'), version)
      const depends = (await field('Depends')).split(', ')
      for (const library of debianDepends(needs)) assert.ok(depends.includes(library), library)
      assert.ok(depends.includes('libc6 (>= 2.28)'))
      const requires = (await call('rpm', ['-qp', '--requires', rpmOf(architecture)])).split('\n')
      for (const library of rpmRequires(needs)) assert.ok(requires.includes(library), library)
      assert.ok(requires.includes('libc.so.6(GLIBC_2.28)(64bit)'))
      // A link of a build id would point from a folder that all packages share.
      assert.doesNotMatch(await call('rpm', ['-qp', '--list', rpmOf(architecture)]), /build-id/)
    })
  })

test('every command finds its modules in the bundle', async () => {
  await using unpacked = await Unpacked.of(debOf('amd64'))
  const nowhere = ['--endpoints', 'http://127.0.0.1:1']
  const once = commandNames.filter(name => !/daemon/.test(name))
  for (const name of once) {
    const file = ['backup restore'].includes(name) ? ['/no/such/file'] : []
    const where = name.startsWith('backup ') && name !== 'backup create' ? [] : nowhere
    const { code, stderr } = await etcdDefrag([...name.split(' '), ...file, ...where], {
      command: unpacked.command,
    })
    assert.notEqual(code, 70, `${name}: ${stderr}`)
    assert.doesNotMatch(stderr, /Cannot find|ERR_/, name)
  }
})

test('the copyright file names each npm package that anything was bundled from, with the text of its licence', async () => {
  await using unpacked = await Unpacked.of(debOf('amd64'))
  const text = await readFile(join(unpacked.folder, 'usr/share/doc/etcd-defrag/copyright'), 'utf8')
  const bundled = packagesIn(await bundle(join(unpacked.folder, 'again')))
  assert.ok(bundled.length > 20 && bundled.includes('node_modules/pino'), bundled.join(' '))
  for (const folder of [...bundled, 'node_modules/node-addon-api'])
    assert.match(text, new RegExp(`^Files: ${folder}/\\*\nCopyright: .+\n(.+\n)*?License: .+\n .+`, 'm'))
  for (const part of ['OpenSSL', 'ICU', 'V8', 'libuv']) assert.match(text, new RegExp(`^ .*${part}`, 'm'))
  assert.match(text, /^Files: usr\/lib\/etcd-defrag\/lzma\.node\n(.*\n)+?License: public-domain$/m)
})

test('a package that has no licence text cannot be bundled', async () => {
  const { licence } = await fetchRuntime(targets.amd64, cacheFolder())
  const without = 'node_modules/natural-compare' // in package.json MIT, and without the text
  assert.deepEqual(packagesIn({ inputs: { [`${without}/index.js`]: { bytes: 1, imports: [] } } }), [without])
  const inputs = { [`${without}/index.js`]: { bytes: 1, imports: [] } }
  await assert.rejects(
    copyrightOf({ inputs }, licence),
    /natural-compare names no licence, or has not the text/,
  )
})
