import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Architecture, targets } from '../../packaging/build/target.js'

export const root = join(import.meta.dirname, '../../..')

/** The version that test/lab/setup.mjs gives to the packages of dist/test-packages/newer. */
export const NEWER = '99.0.0'

export const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
export const version = manifest.version

/** The packages that `npm test` makes before it runs the tests, compressed in passing. */
export const debOf = (architecture: Architecture): string =>
  made('now', `etcd-defrag_${version}_${architecture}.deb`)
export const rpmOf = (architecture: Architecture): string =>
  made('now', `etcd-defrag-${version}-1.${targets[architecture].rpm}.rpm`)

/** The same as a later release would be. */
export const newerDeb = (): string => made('newer', `etcd-defrag_${NEWER}_amd64.deb`)
export const newerRpm = (): string => made('newer', `etcd-defrag-${NEWER}-1.x86_64.rpm`)

function made(folder: string, name: string): string {
  const path = join(root, 'dist/test-packages', folder, name)
  if (!existsSync(path))
    throw new Error(
      `there is no ${path}; npm test makes it, and so does: node test/lab/setup.mjs test-packages`,
    )
  return path
}
