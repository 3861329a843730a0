import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { formats, make } from './make.js'
import { root } from './source.js'
import { architectures } from './target.js'

/**
 * `npm run package`: every package of this release, into dist/packages. What tests of packages take is compressed in
 * passing, goes elsewhere and has another version.
 */
process.umask(0o022) // dpkg-deb refuses what a stricter one makes
const { values } = parseArgs({
  options: {
    fast: { type: 'boolean', default: false },
    folder: { type: 'string', default: 'dist/packages' },
    version: { type: 'string' },
    architecture: { type: 'string', multiple: true, default: [...architectures] },
  },
})
const { fast, folder, version } = values
const chosen = architectures.filter(architecture => values.architecture.includes(architecture))
const wanted = { architectures: chosen, formats, compression: fast ? 'fast' : 'small' } as const
const named = version === undefined ? {} : { version }
for (const path of await make({ ...wanted, ...named, folder: join(root, folder) }))
  process.stdout.write(`${path}\n`)
