import { filled } from '../sources.js'
import { choicesOf } from './bash.js'
import { brief, type Flag, flags, withFile, words } from './flags.js'

/** packaging/completion/etcd-defrag.fish. */
export function fishCompletion(): Promise<string> {
  const all = flags()
  const families = words().filter(({ second }) => second.length > 0)
  return filled('etcd-defrag.fish', {
    FAMILIES: families.map(({ word }) => word).join(' '),
    WITH_VALUE: all
      .filter(({ value }) => value.kind !== 'none')
      .map(({ flag }) => flag)
      .join(' '),
    WORDS: words()
      .map(
        ({ word, about }) =>
          `complete -c etcd-defrag -n __etcd_defrag_after -a ${word} -d ${quoted(brief(about))}`,
      )
      .join('\n'),
    SECOND_WORDS: families
      .flatMap(({ word: first, second }) =>
        second.map(
          ({ word, about }) =>
            `complete -c etcd-defrag -n '__etcd_defrag_after ${first}' -a ${word} -d ${quoted(brief(about))}`,
        ),
      )
      .join('\n'),
    WITH_FILE: withFile()
      .map(command => `complete -c etcd-defrag -n '__etcd_defrag_after ${command}' -F`)
      .join('\n'),
    FLAGS: all.map(flagLine).join('\n'),
  })
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const quotedWithin = (command: string): string => (command.includes(' ') ? `"${command}"` : command)

function flagLine({ flag, value, about, commands, excludes }: Flag): string {
  const condition = [
    `__etcd_defrag_is ${commands.map(quotedWithin).join(' ')}`,
    ...(excludes.length === 0 ? [] : [`and not __etcd_defrag_has ${excludes.join(' ')}`]),
  ].join('; ')
  const takes = {
    none: '',
    free: ' -x',
    file: ' -r -F',
    folder: " -x -a '(__fish_complete_directories (commandline -ct))'",
    choice: ` -x -a '${choicesOf(value).join(' ')}'`,
  }[value.kind]
  const short = flag === '--help' ? ' -s h' : ''
  return `complete -c etcd-defrag -n ${quoted(condition)} -l ${flag.slice(2)}${short}${takes} -d ${quoted(about)}`
}
