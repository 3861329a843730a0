import type { Environment } from '../model/environment.js'

/** The flags that say who asks etcd, and their variables. */
const variables: ReadonlyMap<string, string> = new Map([
  ['user', 'ETCD_DEFRAG_USER'],
  ['password', 'ETCD_DEFRAG_PASSWORD'],
  ['password-file', 'ETCD_DEFRAG_PASSWORD_FILE'],
])

/** How a process is started. */
export type Start = Readonly<{ words: readonly string[]; environment: Environment }>

/**
 * The same start with a password that stands in `words` in `environment` instead, where only the owner of a process
 * reads it (proc(5)). All three flags go together, and take the place of their variables, since the first source that has
 * a password is the one that counts. Words that the command line's parser would refuse stay as they are.
 */
export function withoutPassword({ words, environment }: Start): Start {
  const given: Record<string, string> = {}
  const rest: string[] = []
  const all = words.includes('--') ? words.indexOf('--') : words.length
  for (let i = 0; i < all; i++) {
    const word = words[i] ?? ''
    const [, name = '', attached] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    const variable = variables.get(name)
    const value = variable === undefined ? undefined : (attached ?? valueIn(words[i + 1]))
    if (variable === undefined) rest.push(word)
    else if (value === undefined || value === '' || variable in given) return { words, environment }
    else {
      given[variable] = value
      if (attached === undefined) i++
    }
  }
  const { ETCD_DEFRAG_USER: user, ETCD_DEFRAG_PASSWORD: password } = given
  if (password === undefined && user?.includes(':') !== true) return { words, environment }
  const others = Object.entries(environment).filter(([name]) => ![...variables.values()].includes(name))
  // Of a user from another source than the password, only the name counts.
  const named = user ?? environment['ETCD_DEFRAG_USER']?.replace(/:.*$/s, '')
  return {
    words: [...rest, ...words.slice(all)],
    environment: {
      ...Object.fromEntries(others),
      ...(named === undefined ? {} : { ETCD_DEFRAG_USER: named }),
      ...given,
    },
  }
}

/** As yargs reads it: a word that begins with a dash is the next flag, unless it is a number. */
const valueIn = (word: string | undefined): string | undefined =>
  word === undefined || /^-(?!\.?\d)/.test(word) ? undefined : word
