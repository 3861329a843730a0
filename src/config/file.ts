import { readFile } from 'node:fs/promises'
import { configFailure, type Source } from './sources.js'

/**
 * The configuration file: a YAML map from option names to values. A missing file is an empty one unless
 * `required`. Throws a `config` fault that names file and line for anything it does not understand.
 */
export async function readConfigFile(file: string, required: boolean): Promise<Source> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' && !required) return undefined
    throw configFailure(file, `cannot be read (${cause.code})`, cause)
  })
  if (text === undefined || !/^[^\S\n]*[^#\s]/m.test(text)) return {} // as it is installed, all of it comments
  const { optionsIn } = await import('./fileSyntax.js')
  return optionsIn(file, text)
}
