import { compare, type Needs } from './elf.js'

/** The Debian package that has a shared library. */
const debianPackages: Readonly<Record<string, string>> = {
  'libc.so.6': 'libc6',
  'libm.so.6': 'libc6',
  'libdl.so.2': 'libc6',
  'libpthread.so.0': 'libc6',
  'ld-linux-x86-64.so.2': 'libc6',
  'ld-linux-aarch64.so.1': 'libc6',
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1 | libgcc1', // before Debian 11 and Ubuntu 20.04 it had the other name
}

/** The release of GCC that brought a version of libstdc++'s symbols (GCC: libstdc++ manual, "ABI Policy and Guidelines"). */
const gccOf: Readonly<Record<string, string>> = {
  'GLIBCXX 3.4.21': '5',
  'CXXABI 1.3.9': '5',
  'GLIBCXX 3.4.22': '6',
  'CXXABI 1.3.10': '6',
  'GLIBCXX 3.4.23': '7',
  'GLIBCXX 3.4.24': '7.2',
  'CXXABI 1.3.11': '7',
  'GLIBCXX 3.4.25': '8',
}

/** What Debian's dpkg has to find: the libraries with the versions whose symbols are used. */
export function debianDepends(needs: Needs): readonly string[] {
  const found = needs.libraries.map(library => {
    const name = debianPackages[library]
    if (name === undefined) throw new Error(`the Debian package that has ${library} is not known`)
    return name
  })
  const floors: Readonly<Record<string, string>> = { libc6: glibcFloor(needs), 'libstdc++6': gccFloor(needs) }
  return [...new Set(found)].sort().map(name => (name in floors ? `${name} (>= ${floors[name]})` : name))
}

/** What rpm has to find, as rpm itself names what is in an ELF file (rpm: tools/elfdeps.c). */
export function rpmRequires(needs: Needs): readonly string[] {
  const symbols = [...needs.newest].map(
    ([family, { library, version }]) => `${library}(${family}_${version})(64bit)`,
  )
  return symbols.sort()
}

/** The oldest glibc that has all symbols, such as `2.28`. */
export function glibcFloor(needs: Needs): string {
  const version = needs.newest.get('GLIBC')?.version
  if (version === undefined) throw new Error('no symbol of glibc is used')
  return version
}

function gccFloor(needs: Needs): string {
  const releases = ['GLIBCXX', 'CXXABI'].map(family => {
    const symbol = `${family} ${needs.newest.get(family)?.version}`
    const release = gccOf[symbol]
    if (release === undefined) throw new Error(`the release of GCC that brought ${symbol} is not known`)
    return release
  })
  return releases.sort(compare).at(-1) ?? ''
}
