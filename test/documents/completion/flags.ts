import { type CommandName, commandNames, optionsOf, ownOptionsOf, rowOf } from '../../../src/cli/commands.js'
import { commandOptionNames, commandOptions } from '../../../src/config/commandOptions.js'
import { flagOf, optionNames, options } from '../../../src/config/options.js'
import { effectOf } from '../sources.js'

/** What may stand behind a flag: nothing, one of these words, a path, or what no shell can know. */
export type Value =
  | Readonly<{ kind: 'none' | 'file' | 'folder' | 'free' }>
  | Readonly<{ kind: 'choice'; choices: readonly string[] }>

export type Flag = Readonly<{
  /** With its dashes. */
  flag: string
  /** As --help shows it. */
  shape: string
  value: Value
  about: string
  /** The commands it means something to. */
  commands: readonly CommandName[]
  /** Another one that says the opposite, and itself, unless it may be there several times. */
  excludes: readonly string[]
}>

/** A word that a command line may begin with, and the second ones of those that have them. */
export type Word = Readonly<{ word: string; about: string; second: readonly Word[] }>

/** Every flag that --help shows. */
export function flags(): readonly Flag[] {
  const rows = [
    ...optionNames.map(name => ({
      flag: flagOf(name),
      shape: options[name].shape as string,
      about: withDefault(effectOf(name), options[name].shape, options[name].fallback),
      commands: commandNames.filter(command => optionsOf(command).includes(name)),
    })),
    ...commandOptionNames.map(name => ({
      flag: `--${name}`,
      shape: commandOptions[name].shape as string,
      about: withDefault(
        commandOptions[name].about,
        commandOptions[name].shape,
        commandOptions[name].fallback,
      ),
      commands: commandNames.filter(command => ownOptionsOf(command).includes(name)),
    })),
    { flag: '--help', shape: '', about: 'show the options', commands: commandNames },
    { flag: '--version', shape: '', about: 'show the version', commands: commandNames },
  ]
  const all = new Set(rows.map(row => row.flag))
  const opposite = (flag: string) =>
    flag.startsWith('--no-') ? flag.replace('--no-', '--') : flag.replace('--', '--no-')
  return rows.map(row => ({
    ...row,
    value: valueFor(row.shape),
    excludes: isRepeatable(row.flag) ? [] : [row.flag, opposite(row.flag)].filter(flag => all.has(flag)),
  }))
}

/** The words of all commands, in the order of the table. */
export function words(): readonly Word[] {
  const first = [...new Set(commandNames.map(name => name.split(' ')[0] ?? name))]
  return first.map(word => {
    const family = commandNames.filter(name => name.startsWith(`${word} `))
    const second = family.map(name => ({
      word: name.slice(word.length + 1),
      about: rowOf(name).about,
      second: [],
    }))
    const single = commandNames.find(name => name === word)
    const about = single === undefined ? second.map(row => row.word).join(', ') : rowOf(single).about
    return { word, about, second }
  })
}

/** Commands that work on a file. */
export const withFile = (): readonly CommandName[] =>
  commandNames.filter(name => rowOf(name).argument !== undefined)

/** The first clause: a menu has a line for each. */
export const brief = (about: string): string => about.split(';')[0] ?? about

/** As etcdctl's: --endpoints may be there several times. */
const isRepeatable = (flag: string): boolean => flag === '--endpoints'

const withDefault = (about: string, shape: string, fallback: string | undefined): string =>
  shape === '' || fallback === undefined || fallback === '' ? brief(about) : `${brief(about)} (${fallback})`

function valueFor(shape: string): Value {
  if (shape === '') return { kind: 'none' }
  if (/^[a-z-]+(\|[a-z-]+)+$/.test(shape)) return { kind: 'choice', choices: shape.split('|') }
  return { kind: shape === 'FILE' ? 'file' : shape === 'DIR' ? 'folder' : 'free' }
}
