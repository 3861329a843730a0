import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isOnByDefault, type OptionName, options } from '../../src/config/options.js'

/** Of the repository, from dist. */
export const root = join(import.meta.dirname, '../../..')

/** What the flag does, which for what is on by default is to switch it off. */
export const effectOf = (name: OptionName): string =>
  isOnByDefault(name) ? `do not ${options[name].about}` : options[name].about

/** The handwritten part of a document, with `@NAME@` where a made one belongs. Throws where the two do not fit. */
export async function filled(template: string, parts: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(join(root, 'test/documents/templates', template), 'utf8')
  const used = new Set<string>()
  const whole = text.replaceAll(/@([A-Z_]+)@/g, (_place, name: string) => {
    used.add(name)
    const part = parts[name]
    if (part === undefined) throw new Error(`${template} has a place for ${name}, which nothing makes`)
    return part
  })
  const lost = Object.keys(parts).filter(name => !used.has(name))
  if (lost.length > 0) throw new Error(`${template} has no place for ${lost.join(', ')}`)
  return whole
}

/** In order of first appearance, so that a new group needs no second list. */
export function grouped<T>(
  items: readonly T[],
  groupOf: (item: T) => string,
): readonly (readonly [string, readonly T[]])[] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(groupOf(item))
    if (group === undefined) groups.set(groupOf(item), [item])
    else group.push(item)
  }
  return [...groups]
}

/** As a list in a sentence. */
export const listed = (items: readonly string[], last = 'and'): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`

/** Lines of at most so many columns; a word longer than that has one of its own. */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

export type Release = Readonly<{ version: string; date: Date }>

/** The newest entry of packaging/changelog (deb-changelog(5)): the manual bears its date, so that it is made the same each time. */
export async function newestRelease(): Promise<Release> {
  const changelog = await readFile(join(root, 'packaging/changelog'), 'utf8')
  const [, version] = /^etcd-defrag \(([^)]+)\) /.exec(changelog) ?? []
  const [, when] = /^ -- .* <.*> {2}(.+)$/m.exec(changelog) ?? []
  const date = new Date(when ?? '')
  if (version === undefined || Number.isNaN(date.getTime()))
    throw new Error('packaging/changelog does not begin with a release and its date')
  return { version, date }
}
