import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readlink, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../lab/packages.js'
import type { Program } from './tools.js'

const run = promisify(execFile)

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
  readonly #folder: string
  readonly program: Program
  /** With it, a program of ours that is in no package takes the package's liblzma (node-gyp-build: node-gyp-build.js). */
  readonly env: Readonly<Record<string, string>>
  /** Names and bytes of all packages there are. */
  readonly sizes: readonly (readonly [string, number])[]

  private constructor(folder: string, program: Program, sizes: Packaged['sizes']) {
    this.#folder = folder
    this.program = program
    this.env = { LZMA_NATIVE_PREBUILD: join(folder, 'addon') }
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
    const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-unpacked-'))
    try {
      await run('dpkg-deb', ['-x', join(packages, deb), folder])
      const lib = join(folder, 'usr/lib/etcd-defrag')
      const release = join(folder, 'addon/build/Release')
      await mkdir(release, { recursive: true })
      await symlink(join(lib, 'lzma.node'), join(release, 'lzma.node'))
      const sizes = await Promise.all(
        files.map(async name => [name, (await stat(join(packages, name))).size] as const),
      )
      const bin = join(folder, 'usr/bin')
      const main = join(bin, await readlink(join(bin, 'etcd-defrag')))
      return new Packaged(folder, [join(lib, 'node'), main], sizes)
    } catch (error) {
      await rm(folder, { recursive: true })
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true })
  }
}
