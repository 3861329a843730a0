import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { optionNames, options } from './options.js'
import { configFailure, didYouMean, type Source } from './sources.js'

/** The options in the text of a configuration file. Throws a `config` fault that names file and line. */
export function optionsIn(file: string, text: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (node: Node | null | undefined) => `${file}:${lines.linePos(node?.range?.[0] ?? 0).line}`
  const [broken] = document.errors
  if (broken !== undefined)
    throw configFailure(`${file}:${lines.linePos(broken.pos[0]).line}`, `is not YAML: ${broken.message}`)
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
    return {}
  if (!isMap(document.contents))
    throw configFailure(at(document.contents), 'expected lines such as "backup-path: /root/etcd-backup.xz"')

  const known = optionNames.filter(name => !('notInFile' in options[name]))
  const found: Source = {}
  for (const { key, value } of document.contents.items) {
    const node = key as Node // of a parsed document, every key is one
    const word = isScalar(key) ? String(key.value) : String(key)
    const name = known.find(candidate => candidate === word)
    if (name === undefined) {
      throw configFailure(at(node), `${JSON.stringify(word)} is no option${hintFor(word, known)}`)
    }
    const texts = isSeq(value) && name === 'endpoints' ? value.items.map(scalarText) : [scalarText(value)]
    if (texts.includes(undefined)) throw configFailure(`${at(node)} ${name}`, 'expected a single value')
    if (isScalar(value) && value.value === null) continue // "name:" with nothing behind it
    Object.assign(found, { [name]: { text: texts.join(','), where: `${at(node)} ${name}` } })
  }
  return found
}

const scalarText = (node: unknown): string | undefined =>
  isScalar(node) ? String(node.source ?? node.value) : undefined

/** A switch is written as it is, not as its flag: `trim: false`. */
function hintFor(word: string, known: readonly string[]): string {
  const plain = known.find(name => word === `no-${name}`)
  return plain === undefined ? didYouMean(word, known) : `; did you mean "${plain}: false"?`
}
