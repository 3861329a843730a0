import { call } from './programs.js'

export type Needs = Readonly<{
  machine: string
  /** Shared libraries by their soname. */
  libraries: readonly string[]
  /** The newest version of each family of symbols, such as `2.28` of GLIBC, and the library that has it. */
  newest: ReadonlyMap<string, Readonly<{ library: string; version: string }>>
}>

/** What the ELF file asks of a machine, as readelf(1) finds it; it reads files of any processor. */
export async function needsOf(file: string): Promise<Needs> {
  const text = await call('readelf', ['--wide', '--file-header', '--dynamic', '--version-info', file])
  const machine = /^\s*Machine:\s+(.+)$/m.exec(text)?.[1] ?? ''
  const libraries = [...text.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map(
    ([, name]) => name ?? '',
  )
  const newest = new Map<string, { library: string; version: string }>()
  let library = ''
  for (const line of text.slice(text.indexOf("section '.gnu.version_r'")).split('\n')) {
    library = /\bFile: (\S+)/.exec(line)?.[1] ?? library
    const [, family, version] = /\bName: ([A-Z]+)_([\d.]+)\b/.exec(line) ?? []
    if (family === undefined || version === undefined) continue
    const known = newest.get(family)
    if (known === undefined || compare(version, known.version) > 0) newest.set(family, { library, version })
  }
  return { machine, libraries, newest }
}

/** By number, part by part. */
export function compare(one: string, other: string): number {
  const [a, b] = [one.split('.').map(Number), other.split('.').map(Number)]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** What all of the files together ask for. Throws where they are not for one processor. */
export function together(all: readonly Needs[]): Needs {
  const machines = [...new Set(all.map(needs => needs.machine))]
  const [machine] = machines
  if (machine === undefined || machines.length > 1)
    throw new Error(`one package for ${machines.join(' and ')}`)
  const newest = new Map<string, { library: string; version: string }>()
  for (const [family, found] of all.flatMap(needs => [...needs.newest])) {
    const known = newest.get(family)
    if (known === undefined || compare(found.version, known.version) > 0) newest.set(family, found)
  }
  return { machine, libraries: [...new Set(all.flatMap(needs => needs.libraries))].sort(), newest }
}
