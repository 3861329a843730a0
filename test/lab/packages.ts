import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call } from '../../packaging/build/programs.js'
import { type Architecture, targets } from '../../packaging/build/target.js'
import { startOf } from './command.js'

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

/** What a deb would install, unpacked into a folder of its own; disposing of it removes that. */
export class Unpacked implements AsyncDisposable {
  readonly folder: string
  readonly lib: string
  /** The bundled program on the bundled Node. */
  readonly command: readonly [string, ...string[]]

  private constructor(folder: string) {
    this.folder = folder
    this.lib = join(folder, 'usr/lib/etcd-defrag')
    this.command = startOf(join(this.lib, 'node'), join(this.lib, 'dist/src/main.js'))
  }

  static async of(deb: string): Promise<Unpacked> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-unpacked-'))
    await call('dpkg-deb', ['-x', deb, folder])
    return new Unpacked(folder)
  }

  /** As dpkg leaves it for who runs it while it is removed or replaced: nothing is there any more. */
  async takeAway(): Promise<void> {
    await rm(this.lib, { recursive: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true })
  }
}
