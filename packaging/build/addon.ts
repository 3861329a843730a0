import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call } from './programs.js'
import type { Runtime } from './runtime.js'
import { root } from './source.js'
import type { Target } from './target.js'

const lzmaNative = join(root, 'node_modules/lzma-native')
const nodeAddonApi = join(root, 'node_modules/node-addon-api')
/** What keeps a compiler and a glibc of today from asking for those of today on the nodes. */
const older = {
  glibc: join(root, 'packaging/addon/glibc.h'),
  gcc: join(root, 'packaging/addon/libstdc++.cpp'),
}

/**
 * Puts lzma-native's compiled half for the processor at `path`, without symbols, compiled from the sources that come with
 * it. What comes compiled does not serve: its liblzma was compiled without optimisation (liblzma-config.sh gives
 * configure CFLAGS that take the place of -O2), which costs a third to a half more CPU, and in 8.0.6 linux-arm64 holds
 * the file of linux-x64, byte for byte.
 */
export async function addonOf(target: Target, runtime: Runtime, cache: string, path: string): Promise<void> {
  const addon = await compiledOnce(target, runtime, cache)
  await call(`${target.triplet}-strip`, ['--strip-unneeded', '-o', path, addon])
}

/** Kept under a name that tells what it was made from and by. */
async function compiledOnce(target: Target, runtime: Runtime, cache: string): Promise<string> {
  const xz = (await readdir(join(lzmaNative, 'deps'))).find(name => name.endsWith('.tar.bz2'))
  if (xz === undefined) throw new Error('lzma-native no longer brings the sources of liblzma')
  const tarball = join(lzmaNative, 'deps', xz)
  const made = createHash('sha256')
    .update(await call(`${target.triplet}-g++`, ['--version']))
    .update(runtime.version)
  for (const file of [
    import.meta.filename,
    older.glibc,
    older.gcc,
    join(lzmaNative, 'package.json'),
    tarball,
  ])
    made.update(await readFile(file))
  const path = join(cache, `lzma-${target.node}-${made.digest('hex').slice(0, 16)}.node`)
  if (await readFile(path).then(Boolean, () => false)) return path
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'etcd-defrag-addon-'))
  try {
    await compile(target, runtime, await liblzma(target, tarball, work), work)
    await copyFile(join(work, 'lzma.node'), `${path}.${process.pid}`)
    await rename(`${path}.${process.pid}`, path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return path
}

/** Compiles what binding.gyp of lzma-native names, with its flags, for any processor. */
async function compile(target: Target, runtime: Runtime, xz: string, work: string): Promise<void> {
  const names = (await readdir(join(lzmaNative, 'src'))).filter(name => name.endsWith('.cpp')).sort()
  const sources = [...names.map(name => join(lzmaNative, 'src', name)), older.gcc]
  const headers = [runtime.headers, nodeAddonApi, join(xz, 'include')].map(folder => `-I${folder}`)
  const flags = ['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', '-include', older.glibc]
  const defines = ['BUILDING_NODE_EXTENSION', 'NODE_GYP_MODULE_NAME=lzma_native', '_FILE_OFFSET_BITS=64']
  const link = ['-shared', join(xz, 'lib/liblzma.a'), '-pthread', '-s']
  const linker = ['--build-id=none', '-z,relro,-z,now', '--as-needed'].map(flag => `-Wl,${flag}`)
  await call(`${target.triplet}-g++`, [
    ...[...flags, ...samePaths(work), ...defines.map(name => `-D${name}`), ...headers],
    ...['-o', join(work, 'lzma.node'), ...sources, ...link, ...linker],
  ])
}

/** Nothing in the file tells where it was compiled. */
const samePaths = (work: string) => [`-ffile-prefix-map=${work}=.`, `-ffile-prefix-map=${root}=.`]

/** As liblzma-config.sh of lzma-native does, for another processor. Gives where headers and archive are. */
async function liblzma(target: Target, tarball: string, work: string): Promise<string> {
  await call('tar', ['-xjf', tarball, '-C', work, '--no-same-owner', '--strip-components=1'])
  const prefix = join(work, 'built')
  const programs = ['scripts', 'lzmainfo', 'lzma-links', 'lzmadec', 'xzdec', 'xz']
  const without = [...programs, 'rpath', 'shared', 'doc', 'nls'].map(part => `--disable-${part}`)
  const flags = ['-O2', '-fPIC', '-include', older.glibc, ...samePaths(work)].join(' ')
  const args = [`--host=${target.triplet}`, '--enable-static', ...without, `--prefix=${prefix}`]
  await call('sh', ['configure', ...args, `CFLAGS=${flags}`], { cwd: work })
  await call('make', ['-j2', 'install'], { cwd: work })
  return prefix
}
