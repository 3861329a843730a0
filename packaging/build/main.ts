import { resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { formats, make, type Wanted } from './make.js'
import { root } from './source.js'
import { architectures } from './target.js'

const usage = `npm run package [-- --architecture ${architectures.join('|')}]

Makes the deb and the rpm for each architecture that is given, or for all, in dist/packages.
--folder DIR      put them there instead
--version X.Y.Z   call it that instead of what package.json says
--fast            compress in passing: for tests`

process.umask(0o022) // dpkg-deb refuses what a stricter one makes
const wanted = wantedBy(process.argv.slice(2))
if (wanted !== undefined) await make(wanted, line => process.stderr.write(`${line}\n`))

/** Undefined where it was help that was asked for, or nothing that is known. */
function wantedBy(argv: readonly string[]): Wanted | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        fast: { type: 'boolean', default: false },
        folder: { type: 'string', default: 'dist/packages' },
        version: { type: 'string' },
        architecture: { type: 'string', multiple: true, default: [...architectures] },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(`${usage}\n`)
      return undefined
    }
    const unknown = values.architecture.find(name => !architectures.some(known => known === name))
    if (unknown !== undefined) throw new Error(`there is no architecture ${unknown}`)
    const { fast, folder, version } = values
    return {
      architectures: architectures.filter(architecture => values.architecture.includes(architecture)),
      formats,
      compression: fast ? 'fast' : 'small',
      folder: resolve(root, folder),
      ...(version === undefined ? {} : { version }),
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}\n`)
    process.exitCode = 64 // EX_USAGE of sysexits(3)
    return undefined
  }
}
