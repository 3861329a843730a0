import { figuresAt, type Place } from './find.js'
import type { Report, Table } from './report.js'
import { figureText } from './show.js'
import { summaryOf } from './statistics.js'

/** What is to be no higher: the median, or each time; where there are several, the worst counts. */
type Aim = Place & Readonly<{ what: string; most: number; eachTime?: true }>

const ours = /(^|: )etcd-defrag$/

export const aims: readonly Aim[] = [
  {
    what: 'longest time without a write through any member, whatever the disk',
    ...{ part: /^clients/, row: ours, column: /^write gap, any member$/, most: 130 },
  },
  {
    what: 'of a member’s gap, what is beyond its defragmentation',
    ...{ part: /^clients/, row: ours, column: /^most of a gap beyond its defragmentation$/, most: 130 },
  },
  {
    what: 'members out at once',
    part: /^clients/,
    row: ours,
    column: /^out at once$/,
    most: 1,
    eachTime: true,
  },
  {
    what: 'failed operations of a client that fails over',
    ...{ part: /^clients/, row: ours, column: /^failing over, failed$/, most: 0, eachTime: true },
  },
  { what: 'time of a run that is not etcd’s', part: /^own$/, row: ours, column: /^own$/, most: 450 },
  {
    what: 'the same until the last member is defragmented, without backup and trim',
    ...{ part: /^own$/, row: ours, column: /^own, until the last$/, most: 450 },
  },
  {
    what: 'time a snapshot is open, by etcdctl’s',
    ...{ part: /^snapshot$/, row: /^ours by theirs/, column: /^open$/, most: 0.75 },
  },
  {
    what: 'time from snapshot to verified archive, by that of etcdctl and xz',
    ...{ part: /^compression$/, row: /^etcdctl snapshot save/, column: /^wall, ours by theirs$/, most: 1 },
  },
  {
    what: 'peak of memory, whatever the size',
    ...{ part: /^memory$/, row: /[MG]iB$/, column: /^(run|verify|restore)$/, most: 200e6, eachTime: true },
  },
  {
    what: 'memory over 50 runs in one process, median of the last 20 by that of the 20 before',
    ...{ part: /^memory$/, row: /^these by those before$/, column: /^resident memory/, most: 1.03 },
  },
  {
    what: '`--version`',
    ...{ part: /^startup$/, row: /^packaged --version$/, column: /^time$/, most: 80 },
  },
  {
    what: '`status` of three members',
    ...{ part: /^startup$/, row: /^packaged status$/, column: /^time$/, most: 150 },
  },
]

/** What was aimed at beside what came of it, as far as it was measured. */
export function aimsTable(reports: readonly Report[]): Table {
  const rows = aims.flatMap(({ what, most, eachTime, ...place }) => {
    const figures = figuresAt(reports, place)
    const [first] = figures
    if (first === undefined) return []
    const worst = Math.max(
      ...figures.map(({ values }) => summaryOf(values)).map(({ median, max }) => (eachTime ? max : median)),
    )
    const text = (value: number) => figureText({ unit: first.unit, values: [value] })
    return [[what, text(most), text(worst) + (eachTime ? ' at most' : ''), worst <= most ? 'yes' : 'no']]
  })
  return {
    title: 'What was aimed at',
    columns: ['of this tool', 'aim, at most', 'median, or each time', 'met'],
    rows,
  }
}
