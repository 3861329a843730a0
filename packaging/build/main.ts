import { join } from 'node:path'
import process from 'node:process'
import { formats, make } from './make.js'
import { root } from './source.js'
import { architectures } from './target.js'

/** `npm run package`: every package of this release, into dist/packages. */
const compression = process.argv.includes('--fast') ? 'fast' : 'small'
for (const path of await make({ architectures, formats, compression, folder: join(root, 'dist/packages') }))
  process.stdout.write(`${path}\n`)
