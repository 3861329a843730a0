import type { Figure, Report, Table } from './report.js'
import { figureText } from './show.js'
import { summaryOf } from './statistics.js'

/** A median that is to be no higher; of several rows, columns or parts (`PART-…`) the worst counts. */
type Aim = Readonly<{ what: string; part: string; rows: RegExp; columns: RegExp; most: number }>

const ours = /(^|: )etcd-defrag$/

export const aims: readonly Aim[] = [
  {
    what: 'longest time without a write through any member, whatever the disk',
    ...{ part: 'clients', rows: ours, columns: /^write gap, any member$/, most: 130 },
  },
  {
    what: 'of a member’s gap, what is beyond its defragmentation',
    ...{ part: 'clients', rows: ours, columns: /^most of a gap beyond its defragmentation$/, most: 130 },
  },
  { what: 'members out at once', part: 'clients', rows: ours, columns: /^out at once$/, most: 1 },
  {
    what: 'failed operations of a client that fails over',
    ...{ part: 'clients', rows: ours, columns: /^failing over, failed$/, most: 0 },
  },
  { what: 'time of a run that is not etcd’s', part: 'own', rows: ours, columns: /^own$/, most: 450 },
  {
    what: 'time a snapshot is open, by etcdctl’s',
    ...{ part: 'snapshot', rows: /^ours by theirs/, columns: /^open$/, most: 0.75 },
  },
  {
    what: 'time from snapshot to verified archive, by that of etcdctl and xz',
    ...{ part: 'compression', rows: /^etcdctl snapshot save/, columns: /^wall, ours by theirs$/, most: 1 },
  },
  {
    what: 'peak of memory, whatever the size',
    ...{ part: 'memory', rows: /[MG]iB$/, columns: /^(run|verify|restore)$/, most: 200e6 },
  },
  {
    what: 'growth of memory over 50 runs in one process',
    ...{ part: 'memory', rows: /^these by those before$/, columns: /^resident memory/, most: 1.03 },
  },
  { what: '`--version`', part: 'startup', rows: /^packaged --version$/, columns: /^time$/, most: 80 },
  {
    what: '`status` of three members',
    ...{ part: 'startup', rows: /^packaged status$/, columns: /^time$/, most: 150 },
  },
]

/** What was aimed at beside what came of it, as far as it was measured. */
export function aimsTable(reports: readonly Report[]): Table {
  const rows = aims.flatMap(({ what, part, rows: ofRows, columns: ofColumns, most }) => {
    const tables = reports
      .filter(one => one.part === part || one.part.startsWith(`${part}-`))
      .flatMap(one => one.tables)
    const figures = tables.flatMap(({ columns, rows: all }) =>
      all
        .filter(([name]) => typeof name === 'string' && ofRows.test(name))
        .flatMap(row => row.filter((_, i) => ofColumns.test(columns[i] ?? ''))),
    ) as readonly Figure[]
    const [first] = figures
    if (first === undefined) return []
    const worst = Math.max(...figures.map(({ values }) => summaryOf(values).median))
    const text = (value: number) => figureText({ unit: first.unit, values: [value] })
    return [[what, text(most), text(worst), worst <= most ? 'yes' : 'no']]
  })
  return { title: 'What was aimed at', columns: ['of this tool', 'at most', 'median', 'met'], rows }
}
