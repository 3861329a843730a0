import { type CommandName, commandNames, optionsOf, ownOptionsOf, rowOf } from '../../src/cli/commands.js'
import { type CommandOption, commandOptionNames, commandOptions } from '../../src/config/commandOptions.js'
import {
  flagOf,
  isOnByDefault,
  isSwitch,
  type OptionName,
  optionNames,
  options,
  variableOf,
} from '../../src/config/options.js'
import { exitCodeMeanings } from '../../src/model/verdict.js'
import { exampleOf, inFile } from './configExample.js'
import { bold, literal, prose, shaped } from './roff.js'
import { effectOf, filled, grouped, listed, newestRelease, wrapped } from './sources.js'

/** etcd-defrag(8). */
export async function manual(): Promise<string> {
  const global = grouped(optionNames, name => options[name].group)
  const own = grouped(commandOptionNames, name => commandOptions[name].group)
  const names = [...new Set([...global, ...own].map(([group]) => group))]
  const sections = names.map(group =>
    [
      `.SS ${group}`,
      ...(global.find(([name]) => name === group)?.[1] ?? []).map(optionEntry),
      ...(own.find(([name]) => name === group)?.[1] ?? []).map(ownOptionEntry),
    ].join('\n'),
  )
  return filled('etcd-defrag.8', {
    ...(await dated()),
    COMMANDS: commandNames.map(commandEntry).join('\n'),
    OPTIONS: sections.join('\n'),
    EXIT_STATUS: exitCodeMeanings.map(([code, meaning]) => entry(bold(String(code)), meaning)).join('\n'),
    ETCDCTL_VARIABLES: optionNames
      .flatMap(name => {
        const spec = options[name]
        return 'etcdctl' in spec ? [`.TQ\n${bold(spec.etcdctl)}`] : []
      })
      .join('\n')
      .replace('.TQ', '.TP'),
  })
}

/** etcd-defrag.yaml(5). */
export async function fileManual(): Promise<string> {
  const sections = grouped(optionNames.filter(inFile), name => options[name].group)
  return filled('etcd-defrag.yaml.5', {
    ...(await dated()),
    KEYS: sections.map(([group, names]) => [`.SS ${group}`, ...names.map(keyEntry)].join('\n')).join('\n'),
  })
}

async function dated(): Promise<Readonly<Record<'DATE' | 'VERSION', string>>> {
  const { date, version } = await newestRelease()
  return { DATE: date.toISOString().slice(0, 10), VERSION: version }
}

/** A tagged paragraph, with further sentences on lines of their own below it. */
const entry = (tag: string, about: string, ...below: readonly string[]): string =>
  [`.TP\n${tag}\n${prose(about)}`, ...below.map(text => `.br\n${wrapped(text, 78).join('\n')}`)].join('\n')

function commandEntry(name: CommandName): string {
  const { about, argument } = rowOf(name)
  const file = argument === undefined ? '' : ` ${shaped(argument)}`
  const takes = prose(`Takes ${taken(name)}.`).replaceAll('\n', ' ')
  return entry(`${bold(`etcd-defrag ${name}`)}${file}`, about, takes)
}

/** Whole groups by their names, the rest one by one. */
function taken(command: CommandName): string {
  const meant = optionsOf(command)
  const own = ownOptionsOf(command)
  const groups = grouped(optionNames, name => options[name].group)
  const whole = groups.filter(([, names]) => names.every(name => meant.includes(name)))
  const single = meant.filter(name => whole.every(([, names]) => !names.includes(name)))
  const flags = [...single.map(flagOf), ...own.map(name => `--${name}`)]
  const all = `the options of ${listed(whole.map(([group]) => group))}`
  return flags.length === 0 ? all : `${all}, and ${listed(flags)}`
}

const tagOf = (flag: string, shape: string): string =>
  shape === '' ? bold(flag) : `${bold(flag)} ${shaped(shape)}`

const standard = (fallback: string | undefined, shape: string): readonly string[] =>
  fallback === undefined || fallback === '' || shape === '' ? [] : [`Default: ${literal(fallback)}`]

function optionEntry(name: OptionName): string {
  const spec = options[name]
  const variables = [
    `${literal(variableOf(name))}${isOnByDefault(name) ? '=false' : ''}`,
    ...('etcdctl' in spec ? [literal(spec.etcdctl)] : []),
  ]
  return entry(
    tagOf(flagOf(name), spec.shape),
    effectOf(name),
    ...standard(spec.fallback, spec.shape),
    `Variable: ${variables.join(', ')}`,
  )
}

function ownOptionEntry(name: CommandOption): string {
  const { about, commands, fallback, shape } = commandOptions[name]
  const owners = `With ${listed(commands.map(bold), 'or')}`
  return entry(tagOf(`--${name}`, shape), about, ...standard(fallback, shape), owners)
}

function keyEntry(name: OptionName): string {
  const { about, fallback } = options[name]
  return entry(
    bold(`${name}:`),
    about,
    `Type: ${typeOf(name)}`,
    fallback === undefined ? `Not set by default${exampleHint(name)}` : `Default: ${literal(fallback)}`,
  )
}

const exampleHint = (name: OptionName): string =>
  exampleOf(name) === options[name].shape ? '' : `; such as ${literal(exampleOf(name))}`

/** What a value may be, from how --help shows it. */
function typeOf(name: OptionName): string {
  const { shape } = options[name]
  if (isSwitch(name)) return `switch, ${bold('true')} or ${bold('false')}`
  if (shape.includes('|')) return `one of ${shape.split('|').map(bold).join(', ')}`
  const known: Readonly<Record<string, string>> = {
    DURATION: 'duration',
    FILE: 'absolute path of a file',
    DIR: 'absolute path of a folder',
    N: 'whole number',
    'URL,…': 'list of URLs, as a YAML list or with commas between them',
  }
  return known[shape] ?? `text, ${shaped(shape)}`
}
