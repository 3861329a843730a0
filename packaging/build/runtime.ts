import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { call } from './programs.js'
import { root } from './source.js'
import type { Target } from './target.js'

export type Runtime = Readonly<{
  version: string
  /** The program without its symbols. */
  node: string
  licence: string
  /** The headers that an addon is compiled against. */
  headers: string
}>

type Pins = Readonly<{ version: string; integrity: Readonly<Record<string, string>> }>

/**
 * Node as the npm package that packaging/runtime.json pins by version and content, fetched once into `cache`. Throws
 * where what came is not what was pinned.
 */
export async function fetchRuntime(target: Target, cache: string): Promise<Runtime> {
  const pins = JSON.parse(await readFile(join(root, 'packaging/runtime.json'), 'utf8')) as Pins
  const name = `node-linux-${target.node}`
  const tarball = await fetched(name, pins, cache)
  const folder = join(cache, `${name}-${pins.version}`)
  const runtime = {
    version: pins.version,
    node: join(folder, 'node'),
    licence: join(folder, 'package/LICENSE'),
    headers: join(folder, 'package/include/node'),
  }
  const isUnpacked = await readFile(join(folder, 'of'), 'utf8').catch(() => '')
  if (isUnpacked === pins.integrity[name]) return runtime
  const work = await mkdtemp(join(cache, 'unpack-'))
  try {
    await call('tar', ['-xzf', tarball, '-C', work, '--no-same-owner'])
    const strip = `${target.triplet}-strip`
    await call(strip, ['--strip-all', '-o', join(work, 'node'), join(work, 'package/bin/node')])
    await call('sh', ['-c', 'printf %s "$1" > of', 'sh', pins.integrity[name] ?? ''], { cwd: work })
    await rm(folder, { recursive: true, force: true })
    await rename(work, folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return runtime
}

/** The tarball, through the npm of this machine and its registry, checked each time it is used. */
async function fetched(name: string, { version, integrity }: Pins, cache: string): Promise<string> {
  await mkdir(cache, { recursive: true })
  const file = `${name}-${version}.tgz`
  const expected = integrity[name]
  if (expected === undefined) throw new Error(`packaging/runtime.json pins no content of ${name}`)
  const known = await integrityOf(join(cache, file)).catch(() => undefined)
  if (known === expected) return join(cache, file)
  const work = await mkdtemp(join(cache, 'fetch-'))
  try {
    await call('npm', ['pack', `${name}@${version}`, '--pack-destination', work], {
      cwd: root,
      env: npmEnv(),
    })
    const found = await integrityOf(join(work, file))
    if (found !== expected)
      throw new Error(`${name}@${version} is ${found}, and packaging/runtime.json expects ${expected}`)
    await rename(join(work, file), join(cache, file))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return join(cache, file)
}

const integrityOf = async (file: string): Promise<string> =>
  `sha512-${createHash('sha512')
    .update(await readFile(file))
    .digest('base64')}`

/** npm finds its registry, proxy and certificates in the caller's home and environment. */
const npmEnv = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
