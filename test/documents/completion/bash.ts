import { commandNames } from '../../../src/cli/commands.js'
import { filled, grouped } from '../sources.js'
import { type Flag, flags, type Value, withFile, words } from './flags.js'

/** packaging/completion/etcd-defrag.bash. */
export function bashCompletion(): Promise<string> {
  const all = flags()
  const ofKind = (kind: Value['kind']) => all.filter(({ value }) => value.kind === kind)
  const families = words().filter(({ second }) => second.length > 0)
  const choices = grouped(ofKind('choice'), ({ value }) => choicesOf(value).join(' '))
  const files = withFile()
  return filled('etcd-defrag.bash', {
    WORDS: words()
      .map(({ word }) => word)
      .join(' '),
    FAMILIES: families.map(({ word }) => word).join(' | '),
    SECOND_WORDS: families
      .map(({ word, second }) => `    ${word}) words='${second.map(row => row.word).join(' ')}' ;;`)
      .join('\n'),
    FLAGS: grouped(commandNames, command => flagsOf(all, command).join(' '))
      .map(([list, commands]) => `    ${patterns(commands.map(quoted))})\n      words='${list}' ;;`)
      .join('\n'),
    WITH_VALUE: patterns(all.filter(({ value }) => value.kind !== 'none').map(({ flag }) => flag)),
    FILE_FLAGS: patterns(ofKind('file').map(({ flag }) => flag)),
    FOLDER_FLAGS: patterns(ofKind('folder').map(({ flag }) => flag)),
    CHOICES: choices
      .map(([list, some]) => `    ${patterns(some.map(({ flag }) => flag))}) words='${list}' ;;`)
      .join('\n'),
    EXCLUDED: all
      .filter(({ flag, excludes }) => excludes.some(other => other !== flag))
      .map(({ flag, excludes }) => `      ${flag}) given='${excludes.join(' ')}' ;;`)
      .join('\n'),
    REPEATABLE: patterns(all.filter(({ excludes }) => excludes.length === 0).map(({ flag }) => flag)),
    WITH_FILE: patterns(files.map(quoted)),
  })
}

export const flagsOf = (all: readonly Flag[], command: Flag['commands'][number]): readonly string[] =>
  all.filter(({ commands }) => commands.includes(command)).map(({ flag }) => flag)

export const choicesOf = (value: Value): readonly string[] => (value.kind === 'choice' ? value.choices : [])

const patterns = (words: readonly string[]): string => words.join(' | ')
const quoted = (command: string): string => (command.includes(' ') ? `'${command}'` : command)
