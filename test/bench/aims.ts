import { columnsAt, type Place } from './find.js'
import type { Figure, Report, Table } from './report.js'
import { figureText } from './show.js'
import { summaryOf } from './statistics.js'

/**
 * What is to be no higher: the median, what came of each time, or the median of the last row by that of the first, the
 * largest by the smallest; where there are several, the worst counts.
 */
type Aim = Place &
  Readonly<{
    what: string
    most: number
    judged?: 'each time' | 'last by first'
    /** What is in the way where it is not met. */
    why?: string
    /** There is none on machines where all disks fit into memory. */
    ifAny?: boolean
  }>

/** Of a database that was measured, and not reckoned on paper. */
const sized = /^\d\S* [MG]iB$/
const shared = /^\d\S* [MG]iB, one disk for all$/
const grown = new RegExp(`${sized.source}|${shared.source}|^[1357]$`)
/** A member alone has nobody to serve in its stead. */
const several = new RegExp(`${sized.source}|${shared.source}|^[357]$`)
const ours = /(^|: )etcd-defrag$/

export const aims: readonly Aim[] = [
  {
    what: 'longest time without a write through any member, on each of the three kinds of disk',
    ...{ part: /^clients/, row: ours, column: /^write gap, any member$/, most: 130, judged: 'each time' },
  },
  {
    what: 'the same with 3, 5 and 7 members, and with three of each size, each on a disk of its own',
    part: /^scale/,
    row: new RegExp(`${sized.source}|^[357]$`),
    column: /^write gap, any member$/,
    ...{ most: 130, judged: 'each time' },
    why: 'all members, the load and the tool share two cores',
  },
  {
    what: 'the same where the databases of three members and the backup are on one disk',
    ...{ part: /^scale/, row: shared, column: /^write gap, any member$/, most: 130, judged: 'each time' },
    ...{ why: 'what one writes, all wait for', ifAny: true },
  },
  {
    what: 'of a member’s gap, what is beyond its defragmentation',
    part: /^clients/,
    row: ours,
    column: /^most of a gap beyond its defragmentation$/,
    ...{ most: 130, judged: 'each time' },
  },
  {
    what: 'members out at once',
    part: /^clients/,
    row: ours,
    column: /^out at once$/,
    most: 1,
    judged: 'each time',
  },
  {
    what: 'the same with up to 7 members, and with three of 0.1 to 4 GiB',
    ...{ part: /^scale/, row: grown, column: /^out at once$/, most: 1, judged: 'each time' },
  },
  {
    what: 'failed operations of a client that fails over',
    ...{ part: /^clients/, row: ours, column: /^failing over, failed$/, most: 0, judged: 'each time' },
  },
  {
    what: 'the same with 3, 5 and 7 members, and with three of 0.1 to 4 GiB',
    ...{ part: /^scale/, row: several, column: /^failing over, failed$/, most: 0, judged: 'each time' },
  },
  {
    what: 'time of a run that is not etcd’s',
    ...{ part: /^own$/, row: ours, column: /^own$/, most: 450 },
    why: 'starting Node, looks and locks, four proofs, trimming and ending',
  },
  {
    what: 'the same, largest database by smallest',
    ...{ part: /^own$/, row: ours, column: /^own$/, most: 1.1, judged: 'last by first' },
    why: 'see where it goes',
  },
  {
    what: 'the same until the last member is defragmented, without backup and trim (an aim of the bench’s own)',
    ...{ part: /^own$/, row: ours, column: /^own, until the last$/, most: 450 },
  },
  {
    what: 'time a snapshot is open, by etcdctl’s',
    ...{ part: /^snapshot$/, row: /^ours by theirs/, column: /^open$/, most: 0.75 },
    why: 'see the stream alone',
  },
  {
    what: 'time from snapshot to verified archive, by that of etcdctl and `xz -f` or `xz -f -T0`',
    ...{ part: /^compression$/, row: /, xz -f( -T0)?$/, column: /^wall, ours by theirs$/, most: 1 },
  },
  {
    what: 'ratio a second of the same, theirs by ours',
    ...{ part: /^compression$/, row: /, xz -f( -T0)?$/, column: /^ratio a second, theirs by ours$/, most: 1 },
  },
  {
    what: 'time of the same, by that of xz with our preset and threads, which verifies nothing (an aim of the bench’s own)',
    ...{ part: /^compression$/, row: /, xz -f -1 -T[02]$/, column: /^wall, ours by theirs$/, most: 1 },
    why: 'verifying takes the same two cores',
  },
  {
    what: 'peak of memory of a run, of verifying and of restoring, one member, whatever the size',
    ...{ part: /^memory$/, row: sized, column: /^(run|verify|restore)$/, most: 200e6, judged: 'each time' },
  },
  {
    what: 'the same, largest database by smallest',
    part: /^memory$/,
    row: sized,
    column: /^(run|verify|restore)$/,
    ...{ most: 1.1, judged: 'last by first' },
    why: 'each page is known to be used once',
  },
  {
    what: 'peak of memory of a run with 1 to 7 members, and with three whatever the size',
    ...{ part: /^scale/, row: grown, column: /^peak memory$/, most: 200e6, judged: 'each time' },
  },
  {
    what: 'memory after each of 150 runs in one process, the last 40 by the 40 from the 31st on',
    ...{ part: /^memory$/, row: /^the last by the first of these$/, column: /^resident memory/, most: 1.03 },
  },
  {
    what: 'the most of these',
    ...{ part: /^memory$/, row: /^(the first|\d+ to \d+)$/, column: /^resident memory/, most: 200e6 },
    ...{ judged: 'each time', why: 'V8 keeps what it may need again' },
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

const medians = (figures: readonly Figure[]) => figures.map(({ values }) => summaryOf(values).median)

const judgedBy = {
  median: figures => Math.max(...medians(figures)),
  'each time': figures => Math.max(...figures.flatMap(({ values }) => values)),
  'last by first': figures => (medians(figures).at(-1) ?? 0) / (medians(figures)[0] ?? Number.NaN),
} as const satisfies Record<string, (figures: readonly Figure[]) => number>

/** What was aimed at beside what came of it, as far as it was measured. */
export function aimsTable(reports: readonly Report[]): Table {
  const rows = aims.flatMap(({ what, most, judged, why, ifAny, ...place }) => {
    const columns = columnsAt(reports, place)
    const first = columns[0]?.[0]
    if (first === undefined) return ifAny ? [] : [[what, '', 'not measured', '-']]
    const worst = Math.max(...columns.map(figures => judgedBy[judged ?? 'median'](figures)))
    const unit = judged === 'last by first' ? 'ratio' : first.unit
    const text = (value: number) => figureText({ unit, values: [value] })
    const isEach = judged === 'each time'
    const met = worst <= most ? 'yes' : `no${why === undefined ? '' : `: ${why}`}`
    return [[what, text(most), text(worst) + (isEach ? ' at most' : ''), met]]
  })
  return {
    title: 'What was aimed at',
    columns: ['of this tool', 'aim, at most', 'measured: the worst median, or the most', 'met'],
    rows,
  }
}
