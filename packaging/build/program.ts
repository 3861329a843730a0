import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'

/**
 * Takes the place of src/cli/invoke.ts in a package. What a start runs is compiled already (code.ts): a fifth less until
 * `status` has ended. V8 takes no code that another version or other flags have made, and compiles anew.
 */
const filename = join(import.meta.dirname, 'program.cjs')
const cachedData = readFileSync(join(import.meta.dirname, 'program.code'))
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData })
const module = { exports: {} as typeof import('../../src/cli/invoke.js') }
script.runInThisContext()(module, createRequire(filename), import.meta.url)
export const { invoke } = module.exports
