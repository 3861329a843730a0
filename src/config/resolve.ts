import { readFile } from 'node:fs/promises'
import type { Environment } from '../model/environment.js'
import { discover } from './discover.js'
import { readConfigFile } from './file.js'
import { type OptionName, type OptionValue, optionNames, options } from './options.js'
import { configFailure, etcdctlVariables, type Found, ownVariables, type Source } from './sources.js'

export type Values = { readonly [N in OptionName]: OptionValue<N> }

/** One option as it came to be, for `--show-config`; secrets are masked. */
export type Origin = Readonly<{
  name: OptionName
  shown: string
  where: string
  /** As in `Found`. */
  ifAny: boolean
}>

export type Config = Readonly<{
  values: Values
  user: Readonly<{ name: string; password: string }> | undefined
  origins: readonly Origin[]
  /** etcd's quota in bytes, where the node's own files tell. */
  quota: number | undefined
  notes: readonly string[]
}>

/**
 * Flag over ETCD_DEFRAG_* over configuration file over ETCDCTL_* over discovery over default, for each option
 * by itself; a certificate and its key are both given or both discovered. Throws a `config` fault that names the place of what is wrong.
 */
export async function resolve(flags: Source, environment: Environment): Promise<Config> {
  const own = ownVariables(environment)
  const file = flags.config ?? own.config
  const fromFile = await readConfigFile(
    parsed('config', file ?? { text: options.config.fallback, where: 'default' }),
    file !== undefined,
  )
  const discovery = await discover()
  const written = [flags, own, fromFile, etcdctlVariables(environment)]
  const sources = [...written, discovery.found]
  const found = (name: OptionName): Found | undefined =>
    sources.find(source => source[name] !== undefined)?.[name]

  const entries = optionNames.map(name => {
    const { fallback } = options[name]
    const from = found(name) ?? (fallback === undefined ? undefined : { text: fallback, where: 'default' })
    return [name, from === undefined ? undefined : parsed(name, from)] as const
  })
  const values = Object.fromEntries(entries) as Values // each row was parsed by its own parser
  checkPair(written, found)
  return Object.freeze({
    values: Object.freeze({ ...values, endpoints: withSchemes(values) }),
    user: await userOf(values.user, sources),
    origins: optionNames.map(name => originOf(name, found(name), values[name])),
    quota: discovery.quota === undefined ? undefined : Number(discovery.quota.text) || undefined,
    notes: discovery.notes,
  })
}

function parsed<N extends OptionName>(name: N, { text, where }: Found): OptionValue<N> {
  try {
    return options[name].parse(text) as OptionValue<N>
  } catch (error) {
    throw configFailure(where, error instanceof Error ? error.message : String(error), error)
  }
}

/** A certificate from one hand and its key from another never fit; half a pair is a mistake. */
function checkPair(written: readonly Source[], found: (name: OptionName) => Found | undefined): void {
  for (const [name, other] of [
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const) {
    const here = found(name)
    if (here === undefined || !written.some(source => source[name] !== undefined)) continue
    if (!written.some(source => source[other] !== undefined))
      throw configFailure(here.where, `needs --${other} beside it`)
  }
}

/** As etcdctl does it: without a scheme, TLS where there is anything to do it with. */
function withSchemes({ endpoints, cacert, cert }: Values): readonly [string, ...string[]] {
  const scheme = cacert !== undefined || cert !== undefined ? 'https://' : 'http://'
  const [first, ...rest] = endpoints
  const full = (url: string) => (/^(https?:\/\/|unix:)/.test(url) ? url : scheme + url)
  return [full(first), ...rest.map(full)]
}

/** The password comes from the first source that has one, in whichever of its three ways. */
async function userOf(user: string | undefined, sources: readonly Source[]): Promise<Config['user']> {
  const source = sources.find(
    s => s.password !== undefined || s['password-file'] !== undefined || s.user?.text.includes(':'),
  )
  const { password, 'password-file': file } = source ?? {}
  if (password !== undefined && file !== undefined)
    throw configFailure(file.where, `${password.where} gives a password too; keep one of them`)
  const given = file === undefined ? password?.text : await firstLine(file)
  if (user === undefined) {
    if (given === undefined) return undefined
    throw configFailure((file ?? password)?.where ?? 'password', 'there is a password but no --user')
  }
  if (given !== undefined) {
    const own = sources.find(s => s.user !== undefined)
    return { name: own === source ? user : user.replace(/:.*$/s, ''), password: given }
  }
  const colon = user.indexOf(':')
  if (colon < 1)
    throw configFailure(
      sources.find(s => s.user)?.user?.where ?? 'user',
      'has no password; set --password-file',
    )
  return { name: user.slice(0, colon), password: user.slice(colon + 1) }
}

async function firstLine({ text: file, where }: Found): Promise<string> {
  const content = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw configFailure(where, `${file} cannot be read (${cause.code})`, cause)
  })
  const line = content.split(/\r?\n/, 1)[0] ?? ''
  if (line === '') throw configFailure(where, `${file} has an empty first line; expected a password`)
  return line
}

function originOf(name: OptionName, from: Found | undefined, value: unknown): Origin {
  if (value === undefined) return { name, shown: '', where: 'not set', ifAny: false }
  const text = from?.text ?? options[name].fallback ?? ''
  const shown = 'secret' in options[name] ? '(hidden)' : text
  return { name, shown, where: from?.where ?? 'default', ifAny: from?.ifAny === true }
}
