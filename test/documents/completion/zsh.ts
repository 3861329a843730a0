import { commandNames } from '../../../src/cli/commands.js'
import { filled } from '../sources.js'
import { brief, type Flag, flags, type Word, withFile, words } from './flags.js'

/** packaging/completion/_etcd-defrag. */
export function zshCompletion(): Promise<string> {
  const all = flags()
  const families = words().filter(({ second }) => second.length > 0)
  const patterns = (items: readonly string[]) => items.map(item => item.replaceAll(' ', '\\ ')).join('|')
  return filled('_etcd-defrag', {
    WITH_VALUE: patterns(all.filter(({ value }) => value.kind !== 'none').map(({ flag }) => flag)),
    FAMILIES: patterns(families.map(({ word }) => word)),
    WORDS: words().map(described).join('\n'),
    SECOND_WORDS: families
      .map(
        ({ word, second }) => `    ${word})\n      second=(\n${second.map(described).join('\n')}\n      ) ;;`,
      )
      .join('\n'),
    FLAGS: all
      .map(flag => {
        // The first word of a family alone too: a flag that _arguments does not know would let its value pass for a word.
        const begun = families
          .map(({ word }) => word)
          .filter(word => flag.commands.some(command => command.startsWith(`${word} `)))
        const owners = patterns([...flag.commands, ...begun])
        return flag.commands.length === commandNames.length
          ? `  specs+=(${specOf(flag)})`
          : `  [[ $command == (${owners}) ]] &&\n    specs+=(${specOf(flag)})`
      })
      .join('\n'),
    WITH_FILE: patterns(withFile()),
  })
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** For _describe: a word, a colon, what it does. */
const described = ({ word, about }: Word): string =>
  `        ${quoted(`${word.replaceAll(':', '\\:')}:${brief(about)}`)}`

/** For _arguments (zshcompsys(1)): what excludes it, the flag, its description, what its value is. */
function specOf({ flag, shape, value, about, excludes }: Flag): string {
  const message = about.replaceAll(/[\\[\]:]/g, '\\$&')
  const before = excludes.length === 0 ? '*' : `(${excludes.join(' ')})`
  if (value.kind === 'none') return quoted(`${before}${flag}[${message}]`)
  const action = {
    file: '_files',
    folder: '_files -/',
    free: ' ',
    choice: value.kind === 'choice' ? `(${value.choices.join(' ')})` : '',
  }[value.kind]
  return quoted(
    `${before}${flag}=[${message}]:${shape.replaceAll(':', '\\:').replaceAll('…', '...')}:${action}`,
  )
}
