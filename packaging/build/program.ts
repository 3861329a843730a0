import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { crc32 } from 'node:zlib'

/**
 * Takes the place of src/cli/invoke.ts in a package. What a start runs is compiled already (code.ts), which saves a quarter
 * of a `status`. V8 itself compares versions and flags, and of the script no more than its length.
 */
const filename = join(import.meta.dirname, 'program.cjs')
const text = readFileSync(filename)
const script = new Script(text.toString('latin1'), { filename, cachedData: codeOf(text) })
const module = { exports: {} as typeof import('../../src/cli/invoke.js') }
script.runInThisContext()(module, createRequire(filename), import.meta.url)
export const { invoke } = module.exports

/** Undefined where it is damaged, or of another version since an upgrade is under way: all of it is compiled then. */
function codeOf(text: Buffer): Buffer | undefined {
  try {
    const file = readFileSync(join(import.meta.dirname, 'program.code'))
    const code = file.subarray(0, -4)
    return file.readUInt32LE(code.length) === crc32(code, crc32(text)) ? code : undefined
  } catch {
    return undefined
  }
}
