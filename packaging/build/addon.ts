import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needsOf } from './elf.js'
import { call } from './programs.js'
import type { Runtime } from './runtime.js'
import { root } from './source.js'
import type { Target } from './target.js'

const lzmaNative = join(root, 'node_modules/lzma-native')
const nodeAddonApi = join(root, 'node_modules/node-addon-api')

/**
 * lzma-native's compiled half for the processor: the one that comes with it where it is one for that processor, else
 * compiled here from the same sources. In 8.0.6 linux-arm64 holds the file of linux-x64, byte for byte.
 */
export async function addonOf(target: Target, runtime: Runtime, cache: string): Promise<string> {
  const shipped = join(lzmaNative, `prebuilds/linux-${target.node}/node.napi.node`)
  const { machine } = await needsOf(shipped)
  return machine === target.machine ? shipped : compiled(target, runtime, cache)
}

/**
 * The symbols whose newest version in the glibc of the build machine is newer than the one that glibc 2.28 has: 2.34 took
 * libpthread in. The first version that the processor's glibc had is in all of them.
 */
const oldSymbols = [
  'pthread_create',
  'pthread_join',
  'pthread_sigmask',
  'pthread_cond_timedwait',
  'pthread_once',
]

/** Compiles what binding.gyp of lzma-native names, the way it does, for another processor; once for each content. */
async function compiled(target: Target, runtime: Runtime, cache: string): Promise<string> {
  const xz = (await readdir(join(lzmaNative, 'deps'))).find(name => name.endsWith('.tar.bz2')) ?? ''
  const compiler = `${target.triplet}-g++`
  const about = [
    await call(compiler, ['--version']),
    runtime.version,
    await readFile(import.meta.filename, 'utf8'),
  ]
  const content = createHash('sha256')
    .update(about.join('\n'))
    .update(await readFile(join(lzmaNative, 'deps', xz)))
  const made = join(cache, `lzma-${target.node}-${content.digest('hex').slice(0, 16)}.node`)
  if (await readFile(made).then(Boolean, () => false)) return made
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'etcd-defrag-addon-'))
  try {
    const built = await liblzma(target, join(lzmaNative, 'deps', xz), work)
    const pins = join(work, 'symbols.h')
    await writeFile(pins, oldSymbols.map(name => `__asm__(".symver ${name},${name}@GLIBC_2.17");\n`).join(''))
    const sources = (await readdir(join(lzmaNative, 'src'))).filter(name => name.endsWith('.cpp')).sort()
    const flags = ['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-include', pins]
    const defines = [
      '-DBUILDING_NODE_EXTENSION',
      '-DNODE_GYP_MODULE_NAME=lzma_native',
      '-D_FILE_OFFSET_BITS=64',
    ]
    const include = [runtime.headers, nodeAddonApi, join(built, 'include')].map(folder => `-I${folder}`)
    const link = [
      join(built, 'lib/liblzma.a'),
      '-pthread',
      '-static-libstdc++',
      '-static-libgcc',
      '-Wl,--exclude-libs,ALL',
      '-Wl,--build-id=none',
      '-Wl,-s',
      '-Wl,-z,relro,-z,now',
    ]
    const files = sources.map(name => join(lzmaNative, 'src', name))
    const out = join(work, 'lzma.node')
    await call(compiler, [...flags, ...samePaths(work), ...defines, ...include, '-o', out, ...files, ...link])
    await copyFile(out, `${made}.${process.pid}`)
    await rename(`${made}.${process.pid}`, made)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return made
}

/** Nothing in the file tells where it was compiled. */
const samePaths = (work: string) => [`-ffile-prefix-map=${work}=.`, `-ffile-prefix-map=${root}=.`]

/** As liblzma-config.sh of lzma-native does, for another processor. */
async function liblzma(target: Target, tarball: string, work: string): Promise<string> {
  await call('tar', ['-xjf', tarball, '-C', work, '--no-same-owner', '--strip-components=1'])
  const prefix = join(work, 'built')
  const without = [
    'scripts',
    'lzmainfo',
    'lzma-links',
    'lzmadec',
    'xzdec',
    'xz',
    'rpath',
    'shared',
    'doc',
    'nls',
  ]
  const flags = ['-O2', '-fPIC', ...samePaths(work)].join(' ')
  const args = [`--host=${target.triplet}`, '--enable-static', ...without.map(part => `--disable-${part}`)]
  await call('sh', ['configure', ...args, `--prefix=${prefix}`, `CFLAGS=${flags}`], { cwd: work })
  await call('make', ['-j2', 'install'], { cwd: work })
  return prefix
}
