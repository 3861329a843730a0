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
import { type CommandName, commandNames, isDaemon, optionsOf, ownOptionsOf, rowOf } from './commands.js'

export type Request =
  /** `file`: the argument of the commands that work on one. */
  | {
      kind: 'command'
      command: CommandName
      file: string | undefined
      flags: Source
      own: CommandValues
    }
  /** --help or --version: print and leave. */
  | { kind: 'print'; text: string }

/** Reads the command line. Throws a `config` fault for anything it does not know; then nothing may run. */
export async function parse(argv: readonly string[], version: string, columns: number): Promise<Request> {
  rejectOddSwitches(argv)
  let isAsked = false // for help or the version
  const parser = parserOf(undefined, version, columns)
  const found = await parser.parseAsync([...argv], {}, (_error, _argv, output) => {
    isAsked ||= output !== ''
  })
  const words = found._.map(String)
  if (isAsked && found['version'] === true) return { kind: 'print', text: version }
  if (isAsked) {
    const [word = '', ...more] = words
    const isFamily =
      more.length === 0 &&
      commandNames.some(name => name.startsWith(`${word} `)) &&
      !commandNames.some(name => name === word)
    const about = words.length === 0 || isFamily ? undefined : commandNamed(words)
    const help = await parserOf(about, version, columns).getHelp()
    return { kind: 'print', text: `${withoutTypes(help)}\n\n${epilogue()}` }
  }
  const { command, file } = commandOf(words)
  const flags = sourceOf(found)
  refuseForeign(flags, command)
  return { kind: 'command', command, file, flags, own: ownValues(found, command) }
}

/** For all commands, or for the help of one. */
function parserOf(command: CommandName | undefined, version: string, columns: number): Argv {
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
    .usage(command === undefined ? usage() : `${usageOf(command)}\n\n${rowOf(command).about}`)
    .fail(message => {
      throw configFailure('command line', clarified(message))
    })
  declare(parser, command)
  return parser
}

/** Who gives a schedule wants it kept, and nothing begun at once. */
function refuseForeign(flags: Source, command: CommandName): void {
  const foreign = optionNames.find(name => options[name].group === 'Daemon' && flags[name] !== undefined)
  if (foreign !== undefined && !isDaemon(command))
    throw configFailure(`--${foreign}`, 'goes with the command daemon; nothing was run')
}

const usageOf = (command: CommandName): string =>
  `etcd-defrag ${[command, rowOf(command).argument ?? [], '[options]'].flat().join(' ')}`

function usage(): string {
  const shapes = commandNames.map(name => [name, rowOf(name).argument ?? []].flat().join(' '))
  const width = Math.max(...shapes.map(shape => shape.length))
  const rows = commandNames.map((name, i) => `  ${shapes[i]?.padEnd(width)}  ${rowOf(name).about}`)
  return [
    'etcd-defrag [COMMAND] [options]',
    '',
    'Keeps etcd lean, backed up and restorable.',
    '',
    'Commands (etcd-defrag COMMAND --help shows the options of one):',
    ...rows,
  ].join('\n')
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

/** The command of the longest name that the words begin with. */
function commandNamed(words: readonly string[]): CommandName {
  const command =
    commandNames.find(name => name === words.slice(0, 2).join(' ')) ??
    commandNames.find(name => name === words[0])
  if (command === undefined) throw configFailure('command line', unknownCommand(words))
  return command
}

function commandOf(words: readonly string[]): { command: CommandName; file: string | undefined } {
  const given = words.length === 0 ? ['run'] : words
  const command = commandNamed(given)
  const [file, ...more] = given.slice(command.split(' ').length)
  const { argument } = rowOf(command)
  const extra = argument === undefined ? file : more[0]
  const fail = (problem: string) =>
    configFailure('command line', `${problem}; nothing was run, see etcd-defrag --help`)
  if (extra !== undefined)
    throw fail(
      argument === undefined
        ? `${command} takes no argument ${extra}`
        : `${command} takes one file, and ${extra} is another`,
    )
  if (argument === 'FILE' && file === undefined) throw fail(`${command} takes a file`)
  return { command, file }
}

function unknownCommand([first = '', second]: readonly string[]): string {
  const family = commandNames.filter(name => name.startsWith(`${first} `))
  const named = second === undefined ? first : `${first} ${second}`
  const guess = family.length > 0 ? didYouMean(named, family) : didYouMean(first, commandNames)
  const known = family.length > 0 && guess === '' ? `; there is ${family.join(', ')}` : guess
  return `unknown command ${family.length > 0 ? named : first}${known}; nothing was run, see etcd-defrag --help`
}

/** What is a value and what a switch is plain from the shapes. */
const withoutTypes = (help: string): string =>
  help.replaceAll(/^ +\[(?:string|boolean|array)\]\n| *\[(?:string|boolean|array)\]$/gm, '')

/** Those that mean something to `command`; all without one. */
function declare(parser: Argv, command: CommandName | undefined): void {
  for (const name of command === undefined ? optionNames : optionsOf(command)) {
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
  for (const name of command === undefined ? commandOptionNames : ownOptionsOf(command)) {
    const { commands: owners, about, group, shape, fallback } = commandOptions[name]
    const describe = command === undefined ? `with ${owners.join(' and ')}: ${about}` : about
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
  const valueless = [
    'help',
    'version',
    ...commandOptionNames.filter(name => commandOptions[name].shape === ''),
  ]
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
    ...exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padEnd(3)} ${meaning}`),
  ].join('\n')
