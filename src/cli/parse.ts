import yargs, { type Argv } from 'yargs'
import { type CommandValues, commandOptionNames, commandOptions } from '../config/commandOptions.js'
import {
  flagOf,
  isOnByDefault,
  isSwitch,
  type OptionName,
  optionNames,
  options,
  variableOf,
} from '../config/options.js'
import { configFailure, didYouMean, type Found, type Source } from '../config/sources.js'
import { exitCodeMeanings } from '../model/verdict.js'

/** What each command does, for --help and the documentation. */
export const commands = {
  run: 'do the nightly job now (also without any command)',
  plan: 'show what a run would do now, step by step and why, and touch nothing',
  status: 'show the members, their sizes and their health, the last run and a pause',
  pause: 'let no run begin for a while, at this cluster or on this node',
  resume: 'end a pause',
} as const
export type CommandName = keyof typeof commands

export type Request =
  | { kind: 'command'; command: CommandName; flags: Source; own: CommandValues }
  /** --help or --version: print and leave. */
  | { kind: 'print'; text: string }

/** Reads the command line. Throws a `config` fault for anything it does not know; then nothing may run. */
export async function parse(argv: readonly string[], version: string, columns: number): Promise<Request> {
  rejectOddSwitches(argv)
  let printed = ''
  const parser = yargs()
    .scriptName('etcd-defrag')
    .parserConfiguration({
      'boolean-negation': false, // --no-backup is an option of its own, so that --no-anything is unknown
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .detectLocale(false)
    .exitProcess(false)
    .strictOptions()
    .version(version)
    .help()
    .alias('help', 'h')
    .wrap(Math.min(110, columns))
    .usage(
      'etcd-defrag [run|plan|status|pause|resume] [options]\n\nKeeps etcd lean, backed up and restorable.',
    )
    .fail(message => {
      throw configFailure('command line', clarified(message))
    })
  for (const [name, about] of Object.entries(commands))
    parser.command(name === 'run' ? ['run', '$0'] : name, about)
  declare(parser)
  const found = await parser.parseAsync([...argv], {}, (_error, _argv, output) => {
    printed = output
  })
  if (printed !== '')
    return {
      kind: 'print',
      text: printed === version ? version : `${withoutTypes(printed)}\n\n${epilogue()}`,
    }
  const command = commandOf(found._.map(String))
  return { kind: 'command', command, flags: sourceOf(found), own: ownValues(found, command) }
}

/** The values of the flags that are the command's own. */
function ownValues(found: Readonly<Record<string, unknown>>, command: CommandName): CommandValues {
  const entries = commandOptionNames.map(name => {
    const { commands: owners, parse: read, fallback } = commandOptions[name]
    const given = found[name]
    if (given !== undefined && !(owners as readonly string[]).includes(command))
      throw configFailure(`--${name}`, `goes with the command ${owners.join(' or ')}`)
    if (Array.isArray(given)) throw configFailure(`--${name}`, 'is there more than once; keep one')
    try {
      return [name, read(String(given ?? fallback))] as const
    } catch (error) {
      throw configFailure(`--${name}`, error instanceof Error ? error.message : String(error), error)
    }
  })
  return Object.fromEntries(entries) as CommandValues // each row was parsed by its own parser
}

function commandOf([word = 'run', ...more]: readonly string[]): CommandName {
  const names = Object.keys(commands) as CommandName[]
  const command = names.find(name => name === word)
  if (command === undefined)
    throw configFailure(
      'command line',
      `unknown command ${word}${didYouMean(word, names)}; nothing was run, see etcd-defrag --help`,
    )
  if (more.length > 0)
    throw configFailure(
      'command line',
      `${command} takes no argument ${more[0]}; nothing was run, see etcd-defrag --help`,
    )
  return command
}

/** What is a value and what a switch is plain from the shapes. */
const withoutTypes = (help: string): string =>
  help.replaceAll(/^ +\[(?:string|boolean|array)\]\n| *\[(?:string|boolean|array)\]$/gm, '')

function declare(parser: Argv): void {
  for (const name of optionNames) {
    const { about, group, shape, fallback } = options[name]
    const hint = fallback === undefined || isSwitch(name) ? '' : ` [default: ${fallback}]`
    const describe = isOnByDefault(name) ? `do not ${about}` : `${about}${hint}`
    const flag = flagOf(name).slice(2)
    if (isSwitch(name)) parser.option(flag, { type: 'boolean', describe, group: `${group}:` })
    else
      parser.option(flag, {
        type: 'string',
        array: name === 'endpoints',
        requiresArg: true,
        describe: `${shape}  ${describe}`,
        group: `${group}:`,
      })
    if (isOnByDefault(name)) parser.option(name, { type: 'boolean', hidden: true })
  }
  for (const name of commandOptionNames) {
    const { commands: owners, about, group, shape, fallback } = commandOptions[name]
    const describe = `with ${owners.join(' and ')}: ${about}`
    const hint = fallback === '' || shape === '' ? '' : ` [default: ${fallback}]`
    if (shape === '') parser.option(name, { type: 'boolean', describe, group: `${group}:` })
    else
      parser.option(name, {
        type: 'string',
        requiresArg: true,
        describe: `${shape}  ${describe}${hint}`,
        group: `${group}:`,
      })
  }
}

function sourceOf(found: Readonly<Record<string, unknown>>): Source {
  const source: Partial<Record<OptionName, Found>> = {}
  for (const name of optionNames) {
    const given = found[name]
    // --endpoints may be repeated, as with etcdctl; of anything else nobody knows which one was meant.
    if (Array.isArray(given) && name !== 'endpoints')
      throw configFailure(`--${name}`, 'is there more than once; keep one')
    if (given !== undefined) source[name] = { text: String(given), where: `--${name}` }
    if (isOnByDefault(name) && found[`no-${name}`] === true) {
      if (given === true) throw configFailure(`--no-${name}`, `stands beside --${name}; keep one of them`)
      source[name] = { text: 'false', where: `--no-${name}` }
    }
  }
  return source
}

/** yargs takes `--force-single=maybe` for false, `--help=maybe` for none, and the last of several for the one meant. */
function rejectOddSwitches(argv: readonly string[]): void {
  const valueless = ['help', 'version', 'show-config']
  const switches = [...valueless, ...optionNames.filter(isSwitch).flatMap(name => [name, `no-${name}`])]
  const seen = new Set<string>()
  for (const word of argv) {
    if (word === '--') return
    const [, flag, value] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    if (flag === undefined || !switches.includes(flag)) continue
    if (seen.has(flag)) throw configFailure(`--${flag}`, 'is there more than once; keep one')
    seen.add(flag)
    if (value !== undefined && valueless.includes(flag)) throw configFailure(`--${flag}`, 'takes no value')
    if (value !== undefined && value !== 'true' && value !== 'false')
      throw configFailure(`--${flag}`, `is ${JSON.stringify(value)}; expected true or false`)
  }
}

/** yargs' own words, with the nearest known one behind those it does not know. */
function clarified(message: string): string {
  const [, list] = /^Unknown arguments?: (.*)$/s.exec(message) ?? []
  if (list === undefined) return `${message.split('\n')[0]}; nothing was run, see etcd-defrag --help`
  const flags = [
    ...optionNames.map(flagOf),
    ...commandOptionNames.map(name => `--${name}`),
    '--help',
    '--version',
  ]
  const words = list
    .split(', ')
    .map(word => (word.length === 1 ? `-${word}` : `--${word}${didYouMean(`--${word}`, flags)}`))
  return `unknown ${words.join(', ')}; nothing was run, see etcd-defrag --help`
}

const epilogue = (): string =>
  [
    'Where values come from, first match wins: flag, ETCD_DEFRAG_* variable',
    `(such as ${variableOf('backup-path')}), configuration file, ETCDCTL_* variable, what this node's own files`,
    "say of etcd (kubeadm's static pod, k3s, RKE2, /etc/default/etcd), default.",
    '',
    'Exit codes:',
    ...exitCodeMeanings.map(([code, meaning]) => `  ${code}${code === 0 ? ' ' : ''}  ${meaning}`),
  ].join('\n')
