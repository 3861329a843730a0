import { distance } from 'fastest-levenshtein'
import type { Environment } from '../model/environment.js'
import { Failure } from '../model/fault.js'
import { type OptionName, optionNames, options, variableOf } from './options.js'

/** A value as text, and where it was written. */
export type Found = Readonly<{
  text: string
  where: string
  /** It holds for the etcd of whatever wrote it, where there is one; it does not say that there is. */
  ifAny?: true
}>
export type Source = Partial<Readonly<Record<OptionName, Found>>>

export const configFailure = (option: string, problem: string, cause?: unknown): Failure =>
  new Failure({ kind: 'config', option, problem }, cause)

/** The nearest known word, for a misspelt one. */
export function didYouMean(word: string, known: readonly string[]): string {
  const [nearest] = known
    .map(candidate => ({ candidate, off: distance(word, candidate) }))
    .filter(({ candidate, off }) => off <= Math.max(2, candidate.length / 4))
    .sort((a, b) => a.off - b.off)
  return nearest === undefined ? '' : `; did you mean ${nearest.candidate}?`
}

/** `ETCD_DEFRAG_*`. Throws a `config` fault for a variable of that prefix that is no option. */
export function ownVariables(environment: Environment): Source {
  const names = new Map(optionNames.map(name => [variableOf(name), name]))
  const found: Source = {}
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('ETCD_DEFRAG_') || text === undefined || text === '') continue
    const name = names.get(variable)
    if (name === undefined)
      throw configFailure(variable, `is no variable of etcd-defrag${didYouMean(variable, [...names.keys()])}`)
    Object.assign(found, { [name]: { text, where: variable } })
  }
  return found
}

/** `ETCDCTL_*`, as etcdctl reads them; what it has and we do not is left alone. */
export function etcdctlVariables(environment: Environment): Source {
  const found: Source = {}
  for (const name of optionNames) {
    const spec = options[name]
    const variable = 'etcdctl' in spec ? spec.etcdctl : undefined
    const text = variable === undefined ? undefined : environment[variable]
    if (variable !== undefined && text !== undefined && text !== '')
      Object.assign(found, { [name]: { text, where: variable } })
  }
  return found
}
