import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from './source.js'

const folder = join(root, 'packaging/maintainer')

/** A maintainer script with what it includes in its place and `@NAME@` filled in. Throws where a name has no value. */
export async function script(name: string, values: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(folder, name), 'utf8')
  for (const [line, part] of text.matchAll(/^# include (\S+)\n/gm)) {
    const included = await readFile(join(folder, part ?? ''), 'utf8')
    text = text.replace(line, () => included)
  }
  return text.replaceAll(/@([A-Z_]+)@/g, (_, key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`${name}: nothing is known for @${key}@`)
    return value
  })
}
