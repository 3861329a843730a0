import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

/** Documents that are made from the table of options; `npm run docs` writes them, a test compares them. */
const root = join(import.meta.dirname, '../../..')

const about = (name: OptionName): string =>
  isOnByDefault(name) ? `do not ${options[name].about}` : options[name].about

function optionsTable(): string {
  const rows = optionNames.map(name => {
    const { shape, fallback } = options[name]
    const flag = `\`${flagOf(name)}${shape === '' ? '' : ` ${shape}`}\``
    const spec = options[name]
    const etcdctl = 'etcdctl' in spec ? `, \`${spec.etcdctl}\`` : ''
    const standard = fallback === undefined || isSwitch(name) ? '' : ` (\`${fallback}\`)`
    const variable = `\`${variableOf(name)}${isOnByDefault(name) ? '=false' : ''}\``
    return `| ${flag.replaceAll('|', '\\|')} | ${variable}${etcdctl} | ${about(name)}${standard} |`
  })
  return ['| flag | variable | what it does (default) |', '| --- | --- | --- |', ...rows].join('\n')
}

const exitCodeTable = (): string =>
  [
    '| code | meaning |',
    '| --- | --- |',
    ...exitCodeMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`),
  ].join('\n')

/** packaging/config.yaml: every option that may stand in the file, explained and commented out. */
export function configExample(): string {
  const blocks = optionNames
    .filter(name => !('notInFile' in options[name]))
    .map(name => {
      const { shape, fallback } = options[name]
      const value = isSwitch(name) ? String(!isOnByDefault(name)) : (fallback ?? shape)
      return `# ${about(name)}\n#${name}: ${JSON.stringify(value) === `"${value}"` && /^[\w./-]+$/.test(value) ? value : JSON.stringify(value)}\n`
    })
  const head = [
    '# Configuration of etcd-defrag: /etc/etcd-defrag/config.yaml',
    '# A flag and an ETCD_DEFRAG_* variable go before this file; ETCDCTL_* variables, what the node says of its',
    '# etcd, and the defaults come after it. `etcd-defrag status --show-config` shows what holds and why.',
  ]
  return `${head.join('\n')}\n\n${blocks.join('\n')}`
}

/** The README with its generated parts made anew. */
export function withTables(readme: string): string {
  return [
    ['options', optionsTable()],
    ['exit codes', exitCodeTable()],
  ].reduce((text, [name, table]) => {
    const [start, end] = [`<!-- ${name}: made by npm run docs -->`, `<!-- end of ${name} -->`]
    const [from, to] = [text.indexOf(start ?? ''), text.indexOf(end ?? '')]
    if (from < 0 || to < 0) throw new Error(`README has no place for the ${name}`)
    return `${text.slice(0, from)}${start}\n${table}\n${text.slice(to)}`
  }, readme)
}

export const documents = {
  'README.md': withTables,
  'packaging/config.yaml': configExample,
} satisfies Record<string, (now: string) => string>

/** Calls `use` with each document's file, what it holds and what it should hold. */
export async function eachDocument(
  use: (file: string, is: string, shouldBe: string) => Promise<void>,
): Promise<void> {
  for (const [file, make] of Object.entries(documents)) {
    const path = join(root, file)
    const is = await readFile(path, 'utf8').catch(() => '') // made for the first time
    await use(path, is, make(is))
  }
}

export const write = (): Promise<void> => eachDocument((file, _is, shouldBe) => writeFile(file, shouldBe))
