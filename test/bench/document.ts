import { join } from 'node:path'
import { aimsTable } from './aims.js'
import { inOrder, machineText, takenText } from './details.js'
import { type Digest, digests, type Shown } from './digests.js'
import { cellAt } from './find.js'
import type { PartName } from './parts.js'
import type { Cell, Report, Table } from './report.js'
import { medianText, tableMarkdown } from './show.js'
import { PEER } from './tools.js'

/** BENCHMARKS.md: what the results come to. `folder`: where they are, with their plots and with all of their tables. */
export function documentOf(reports: readonly Report[], folder: string): string {
  const machines = [...new Set(reports.map(({ machine }) => machineText(machine)))]
  const head = [
    '# Benchmarks',
    `What this tool costs a cluster and a machine, beside what people use today. Figures are medians, with the range of all repetitions in parentheses; databases hold objects as kube-apiserver stores them (\`test/bench/objects.ts\`), some 0.6 of the file is in use. Each part below is one run by the command under it, and only what stands in the same part can be compared: between parts the machine may have been faster or slower. All tables, with how each was measured, are in [${folder}/README.md](${folder}/README.md).`,
    `Measured on ${machines.join('; and on ')}.`,
    ...(isPeerIn(reports) ? [] : [NO_PEER]),
  ]
  const sections = digests.flatMap(digest => {
    const own = inOrder(reports.filter(({ part }) => (digest.parts as readonly string[]).includes(part)))
    return own.length < digest.parts.length ? [] : [sectionOf(digest, own, reports, folder)]
  })
  return `${[...head, tableMarkdown(aimsTable(reports)), ...sections, PROFILES].join('\n\n')}\n`
}

const isPeerIn = (reports: readonly Report[]): boolean =>
  reports.some(({ tables }) => tables.some(({ rows }) => rows.some(([name]) => String(name).endsWith(PEER))))

const NO_PEER = `${PEER}, whose figures of 0.13 s and 0.49 s some aims are from, was not measured in these runs; \`npm run bench -- own --peer PROGRAM\` does it.`

const PROFILES = `## What profiles showed, and what was done

- The snapshot: half of its time went into writes of 32 KiB to the spool; they are gathered into larger ones.
- Compressing: liblzma as npm brings it is compiled without optimisation; the packages compile it anew.
- Start-up: reading and compiling modules, and the regular expression of all emoji for widths in a table; a package is one script with V8’s code for it, and that expression is made where it is used.
- Memory: buffers of the snapshot that had passed, which V8 counts late, and its space for what is young, which the looks at three members had made grow; it stays as small as it is at the start. Run after run in one process, signals that are made of several were kept for ever by Node.
- Time that is not etcd’s: etcd answers a move of leadership at its next tick; the ex-leader says some milliseconds after the call that it follows.
- Under load, a nice value ordered nothing between etcd and a run: sessions and control groups come first, so a run makes its session nice, and the units stand in a slice of their own.`

function sectionOf(
  { title, say, tables, after }: Digest,
  own: readonly Report[],
  all: readonly Report[],
  folder: string,
): string {
  const told = (part: PartName, row: string | RegExp, column: string): string => {
    const cell = cellAt(all, part, row, column)
    if (cell === undefined || typeof cell === 'string')
      throw new Error(`BENCHMARKS.md tells of ${column} of ${row} in ${part}, which no result has`)
    return medianText(cell)
  }
  return [
    `## ${title}`,
    ...say(told),
    ...tables.map(table => tableMarkdown(tableOf(table, own))),
    ...own.flatMap(({ plots }) => plots.map(plot => `![${plot.title}](${join(folder, `${plot.name}.svg`)})`)),
    ...after(told),
    own.map(takenText).join('; '),
  ].join('\n\n')
}

/** Rows of one or more parts, with columns from whichever table of their part has them. */
function tableOf({ title, of, rows: wanted, columns }: Shown, reports: readonly Report[]): Table {
  const rows = Object.entries(of).flatMap(([part, prefix]) => {
    const names = reports
      .filter(report => report.part === part)
      .flatMap(({ tables }) => tables)
      .filter(table => table.columns.includes(columns[0]?.[1] ?? ''))
      .flatMap(table => table.rows.map(([name]) => String(name)))
    return names
      .filter(name => wanted.test(name))
      .map((name): Cell[] => [
        prefix + name,
        ...columns.map(([, column]) => cellAt(reports, part as PartName, name, column) ?? '-'),
      ])
  })
  return { title, columns: ['', ...columns.map(([name]) => name)], rows }
}
