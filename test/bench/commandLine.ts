import { parseArgs } from 'node:util'
import { type Suite, suites } from '../lab/cluster.js'
import { type Context, GIB, MIB } from './part.js'
import { type PartName, partNames } from './parts.js'

/** Bookworm's 3.4 has no etcdutl. */
const measurable = suites.filter(name => name !== 'bookworm')

export const usage = `npm run bench [-- PART… [--quick] [--size 1GiB] [--repeat 5] [--out DIR] [--suite SUITE] [--seed N] [--peer PROGRAM] [--packages DIR]]
parts: ${partNames.join(' ')}; all of them without a name
  --quick      64 MiB and one repetition: whether it works, not how fast anything is; its results go to dist/bench
  --size       of the database files, MiB or GiB
  --repeat     how often everything is measured; a median and a range come of it
  --out        where the results go
  --suite      the Debian release whose etcd 3.5 is measured: ${measurable.join(', ')}
  --seed       of the objects in the databases
  --peer       an ahrtr/etcd-defrag of one's own to measure beside the others
  --packages   where \`npm run package\` put the packages, for the start-up from them`

export type Asked = Readonly<{
  names: readonly PartName[]
  out: string
  /** Where the packages are, if any. */
  packages: string
  context: Omit<Context, 'say' | 'program' | 'packaged'>
}>

/** Throws an Error with the usage for what it does not understand. */
export function parse(argv: readonly string[]): Asked {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      size: { type: 'string' },
      repeat: { type: 'string' },
      out: { type: 'string' },
      suite: { type: 'string', default: 'trixie' },
      seed: { type: 'string', default: '1' },
      peer: { type: 'string' },
      packages: { type: 'string', default: 'dist/packages' },
    },
  })
  const unknown = positionals.filter(name => !isPart(name))
  if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}\n${usage}`)
  const { quick: isQuick } = values
  return {
    names: positionals.length === 0 ? partNames : positionals.filter(isPart),
    out: values.out ?? (isQuick ? 'dist/bench' : 'test/bench/results'),
    packages: values.packages,
    context: {
      suite: suiteOf(values.suite),
      size: values.size === undefined ? (isQuick ? 64 * MIB : GIB) : bytesOf(values.size),
      repeat: values.repeat === undefined ? (isQuick ? 1 : 5) : count('--repeat', values.repeat),
      seed: count('--seed', values.seed),
      isQuick,
      peer: values.peer,
    },
  }
}

const isPart = (name: string): name is PartName => partNames.some(part => part === name)

function count(flag: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text))
    throw new Error(`${flag} ${text}: a whole number from 1 on is expected\n${usage}`)
  return Number(text)
}

function suiteOf(text: string): Suite {
  const suite = measurable.find(name => name === text)
  if (suite === undefined)
    throw new Error(`--suite ${text}: ${measurable.join(' or ')} is expected\n${usage}`)
  return suite
}

function bytesOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(MiB|GiB)$/.exec(text) ?? []
  if (number === undefined)
    throw new Error(`--size ${text}: something like 512MiB or 1GiB is expected\n${usage}`)
  return Math.round(Number(number) * (unit === 'GiB' ? GIB : MIB))
}
