import { isOnByDefault, isSwitch, type OptionName, optionNames, options } from '../config/options.js'
import type { Source } from '../config/sources.js'

/** The flags of a command line as words again, in the order of the table; each is one word. */
export const wordsOf = (flags: Source): readonly string[] =>
  optionNames.flatMap(name => {
    const text = flags[name]?.text
    return text === undefined ? [] : wordOf(name, text)
  })

/** Those that mean something to a run. */
export const runWordsOf = (flags: Source): readonly string[] =>
  wordsOf(Object.fromEntries(optionNames.filter(isOfRun).map(name => [name, flags[name]])))

const isOfRun = (name: OptionName): boolean => options[name].group !== 'Daemon'

function wordOf(name: OptionName, text: string): string {
  if (isOnByDefault(name) && text === 'false') return `--no-${name}`
  return isSwitch(name) && text === 'true' ? `--${name}` : `--${name}=${text}`
}
