import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { addonOf } from './addon.js'
import { bundle, CODE, PROGRAM } from './bundle.js'
import { compile } from './code.js'
import { copyrightOf } from './copyright.js'
import { makeDeb } from './deb.js'
import { type Needs, needsOf, together } from './elf.js'
import { layout, type Row } from './layout.js'
import { makeRpm } from './rpm.js'
import { fetchRuntime } from './runtime.js'
import { cacheFolder, type Release, releaseOf } from './source.js'
import { type Architecture, type Target, targets } from './target.js'

/** What one package is made of. */
export type Making = Readonly<{
  rows: readonly Row[]
  needs: Needs
  architecture: Architecture
  target: Target
  release: Release
  work: string
  compression: 'small' | 'fast'
  synopsis: string
  about: readonly string[]
  licences: readonly string[]
}>

const makers = { deb: makeDeb, rpm: makeRpm } as const
export type Format = keyof typeof makers
export const formats = Object.keys(makers) as readonly Format[]

export type Wanted = Readonly<{
  architectures: readonly Architecture[]
  formats: readonly Format[]
  compression: 'small' | 'fast'
  /** Where the packages go. */
  folder: string
  /** What it is called instead of what package.json says; for tests of upgrades. */
  version?: string
}>

/** Makes the packages that are wanted, and says each path. Throws where a part is not what it was pinned to be. */
export async function make({ folder, ...wanted }: Wanted, say: (line: string) => void): Promise<void> {
  const release = await releaseOf(wanted.version)
  const work = await mkdtemp(join(tmpdir(), 'etcd-defrag-package-'))
  try {
    const program = join(work, 'program')
    const { inputs, flags } = await bundle(program)
    await mkdir(folder, { recursive: true })
    for (const architecture of wanted.architectures) {
      const target = targets[architecture]
      say(`making the ${wanted.formats.join(' and ')} for ${architecture}`)
      const runtime = await fetchRuntime(target, cacheFolder())
      const addon = join(work, `lzma-${architecture}.node`)
      await addonOf(target, runtime, cacheFolder(), addon)
      const code = join(work, `${architecture}-${CODE}`)
      await compile(target, runtime.node, { script: join(program, PROGRAM), file: code, flags })
      const needs = together(await Promise.all([needsOf(runtime.node), needsOf(addon)]))
      const { text: copyright, licences } = await copyrightOf({ inputs }, runtime.licence)
      const { version } = release
      const rows = await layout({ program, code, node: runtime.node, addon, version, copyright })
      const within = join(work, architecture)
      await mkdir(within)
      const { compression } = wanted
      const common = { rows, needs, architecture, target, release, work: within, compression, licences }
      // Side by side: each compresses on one core, so that the number of cores does not change the result.
      const paths = await Promise.all(wanted.formats.map(format => makers[format]({ ...common, ...words })))
      for (const path of paths) {
        const goal = join(folder, basename(path))
        await copyFile(path, goal)
        say(goal)
      }
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const words = {
  synopsis: 'defragment, back up and trim etcd on Kubernetes control-plane nodes',
  about: [
    "An agent for the nodes that run etcd. Each night, on the leader's node, it",
    'checks that every member is healthy, defragments the followers one after the',
    'other, moves leadership to one of them, defragments the former leader, writes',
    'a verified backup and trims the disk. It refuses rather than guesses.',
    '',
    'It brings its own Node.js and needs nothing of the network to be installed.',
  ],
} as const
