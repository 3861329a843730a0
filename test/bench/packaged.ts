import { mkdir, readdir, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { root, Unpacked } from '../lab/packages.js'
import type { Program } from './tools.js'

async function newestOf(folder: string): Promise<Readonly<{ file: string; at: number }>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry =>
    entry.isFile(),
  )
  const times = files.map(async ({ parentPath, name }) => {
    const file = join(parentPath, name)
    return { file, at: (await stat(file)).mtimeMs }
  })
  return (await Promise.all(times)).reduce((a, b) => (a.at > b.at ? a : b))
}

/** This machine's package, unpacked aside and not installed: what its users run. */
export class Packaged implements AsyncDisposable {
  readonly #unpacked: Unpacked
  readonly program: Program
  /** With it, a program of ours that is in no package takes the package's liblzma (node-gyp-build: node-gyp-build.js). */
  readonly env: Readonly<Record<string, string>>
  /** Names and bytes of all packages there are. */
  readonly sizes: readonly (readonly [string, number])[]

  private constructor(unpacked: Unpacked, addon: string, sizes: Packaged['sizes']) {
    this.#unpacked = unpacked
    this.program = unpacked.command
    this.env = { LZMA_NATIVE_PREBUILD: addon }
    this.sizes = sizes
  }

  /** Undefined where there is none for this machine in the folder. */
  static async of(packages: string): Promise<Packaged | undefined> {
    const files = (await readdir(packages).catch(() => [])).filter(name => /\.(deb|rpm)$/.test(name))
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    const [deb, ...others] = files.filter(name => name.endsWith(`_${architecture}.deb`))
    if (deb === undefined) return undefined
    if (others.length > 0)
      throw new Error(`${packages} holds ${[deb, ...others].join(', ')}: which one is it?`)
    const newest = await newestOf(join(root, 'src'))
    if (newest.at > (await stat(join(packages, deb))).mtimeMs)
      throw new Error(`${newest.file} is newer than ${deb}; npm run package makes another`)
    const unpacked = await Unpacked.of(join(packages, deb))
    try {
      const addon = join(unpacked.folder, 'addon')
      const release = join(addon, 'build/Release')
      await mkdir(release, { recursive: true })
      await symlink(join(unpacked.lib, 'lzma.node'), join(release, 'lzma.node'))
      const sizes = await Promise.all(
        files.map(async name => [name, (await stat(join(packages, name))).size] as const),
      )
      return new Packaged(unpacked, addon, sizes)
    } catch (error) {
      await unpacked[Symbol.asyncDispose]()
      throw error
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#unpacked[Symbol.asyncDispose]()
  }
}
