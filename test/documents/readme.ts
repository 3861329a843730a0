import {
  flagOf,
  isOnByDefault,
  isSwitch,
  optionNames,
  options,
  variableOf,
} from '../../src/config/options.js'
import { exitCodeMeanings } from '../../src/model/verdict.js'
import { costsTable } from '../bench/costs.js'
import type { Report } from '../bench/report.js'
import { tableMarkdown } from '../bench/show.js'
import { effectOf } from './sources.js'

function optionsTable(): string {
  const rows = optionNames.map(name => {
    const { shape, fallback } = options[name]
    const flag = `\`${flagOf(name)}${shape === '' ? '' : ` ${shape}`}\``
    const spec = options[name]
    const etcdctl = 'etcdctl' in spec ? `, \`${spec.etcdctl}\`` : ''
    const standard = fallback === undefined || isSwitch(name) ? '' : ` (\`${fallback}\`)`
    const variable = `\`${variableOf(name)}${isOnByDefault(name) ? '=false' : ''}\``
    return `| ${flag.replaceAll('|', '\\|')} | ${variable}${etcdctl} | ${effectOf(name)}${standard} |`
  })
  return ['| flag | variable | what it does (default) |', '| --- | --- | --- |', ...rows].join('\n')
}

const exitCodeTable = (): string =>
  [
    '| code | meaning |',
    '| --- | --- |',
    ...exitCodeMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`),
  ].join('\n')

/** The README with its generated parts made anew; `reports` are those of the bench. */
export function withTables(readme: string, reports: readonly Report[]): string {
  return [
    ['options', optionsTable()],
    ['exit codes', exitCodeTable()],
    ['costs', tableMarkdown(costsTable(reports))],
  ].reduce((text, [name, table]) => {
    const [start, end] = [`<!-- ${name}: made by npm run docs -->`, `<!-- end of ${name} -->`]
    const [from, to] = [text.indexOf(start ?? ''), text.indexOf(end ?? '')]
    if (from < 0 || to < 0) throw new Error(`README has no place for the ${name}`)
    return `${text.slice(0, from)}${start}\n${table}\n${text.slice(to)}`
  }, readme)
}
