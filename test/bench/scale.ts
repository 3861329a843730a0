import { databaseOf } from './database.js'
import { needsRoot } from './loaded.js'
import { memoryFor, noMemoryDisk, SPEED } from './memoryDisk.js'
import { ownMs } from './own.js'
import { besideMs, type Context, GIB, MIB, type Part, sizeName, sizesOf } from './part.js'
import type { Plot } from './plot.js'
import { bytes, type Cell, type Findings, figure, ms, type Table } from './report.js'
import { lineThrough, pointOf, summaryOf } from './statistics.js'
import { ourselves, stallingAt } from './tools.js'
import { expectWhole, type Trial, trialOf } from './trial.js'

export type Row = Readonly<{
  members: number
  size: number
  onDisksInMemory: boolean
  trials: readonly Trial[]
}>

type Measure = Readonly<{ name: string; of: (trial: Trial) => number }>

/** Of a trial, what is to stay as it is however large the cluster and its data are, ms. */
const steady: readonly Measure[] = [
  { name: 'write gap, any member', of: ({ clients }) => clients?.gapMs ?? 0 },
  { name: 'own time', of: ownMs },
]

/** What grows with them, ms. */
const growing: readonly Measure[] = [
  {
    name: 'a member’s defragmentation',
    of: ({ members }) => Math.max(...members.map(({ defragmentMs }) => defragmentMs)),
  },
  { name: 'snapshot', of: ({ spans }) => spans.snapshotMs },
  { name: 'compress', of: ({ spans }) => spans.compressMs },
  { name: 'verify', of: ({ spans }) => spans.verifyMs },
  { name: 'whole run', of: ({ wallMs }) => wallMs },
]
const measures = [...steady, ...growing]
const cpu: Measure = { name: 'CPU', of: ({ cpuMs }) => cpuMs }
const memory: Measure = { name: 'peak memory', of: ({ peakMemory }) => peakMemory / MIB }

const ABOUT =
  'disks in memory that write 400 MB/s each where they fit, one disk for all otherwise. All members share this machine’s cores: beyond one member a core, that is what grows. By how much the load’s own generator was late, at real-time priority, is the most that the machine itself adds to a gap. CPU is that of this tool: what etcd uses to defragment and to send its snapshot is not in it.'

export const scaleMembers: Part = {
  title: 'Scale: members',
  about: `This tool’s run under the load of the first part, by the number of members at half the size; ${ABOUT}`,
  refused: needsRoot,
  async measure(context) {
    const rows: Row[] = []
    const size = Math.round(context.size / 2)
    for (const members of context.isQuick ? [1] : [1, 3, 5, 7]) rows.push(await rowOf(members, size, context))
    return byMembers(rows)
  },
}

export const byMembers = (rows: readonly Row[]): Findings => ({
  tables: [
    tableOf(`By members, ${sizeName(rows[0]?.size ?? 0)}: medians (and ranges)`, 'members', rows, row =>
      String(row.members),
    ),
  ],
  plots: plotsOf('members', 'the number of members', 'members', rows, ({ members }) => members),
  notes: [],
  trials: trialsOf(rows),
})

export const scaleSize: Part = {
  title: 'Scale: the size of the database',
  about: `This tool’s run under the load of the first part, by the size of the database with three members; ${ABOUT} Above 2 GiB with \`--max-stall 1h\`: by the pace of a slow disk a member would be out for longer than the default lets it. On paper: straight lines through the medians of what was measured on the same kind of disk.`,
  refused: needsRoot,
  async measure(context) {
    const rows: Row[] = []
    for (const bytes of sizesOf(context)) rows.push(await rowOf(3, bytes, context))
    const known = context.isQuick ? [] : alike(rows)
    return {
      tables: [
        tableOf(
          'By size of the database, three members: medians (and ranges)',
          'database',
          rows,
          named,
          known.length === 0 ? [] : [onPaper(known, 8 * GIB)],
        ),
        fleetTable(rows, known),
      ],
      plots: plotsOf('size', 'the size of the database', 'database, MiB', alike(rows), row => row.size / MIB),
      notes: rows.every(({ onDisksInMemory }) => onDisksInMemory)
        ? []
        : [
            'Where the disks of three members do not fit into memory, they share one without limits; that size is not in the plots and not in what is reckoned for 8 GiB.',
          ],
      trials: trialsOf(rows),
    }
  },
}

const trialsOf = (rows: readonly Row[]): readonly unknown[] =>
  rows.flatMap(({ trials, ...row }) => trials.map(trial => ({ ...row, ...trial })))

async function rowOf(members: number, size: number, context: Context): Promise<Row> {
  const { suite, seed, repeat, program, say } = context
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  const { needed, available } = await memoryFor(members, size)
  const onDisksInMemory = noMemoryDisk() === undefined && needed < available
  const setting = {
    suite,
    members,
    database,
    databaseBytes: size,
    ...(onDisksInMemory ? { bytesPerSecond: SPEED.normal } : {}),
  }
  const flags = [
    ...(members === 1 ? ['--force-single'] : []),
    ...stallingAt(size),
    ...(onDisksInMemory ? [] : ['--no-trim']), // all of the machine's disk
  ]
  const trials: Trial[] = []
  for (let n = 0; n < repeat; n++) {
    const trial = await trialOf(ourselves(program, flags), setting, { besideMs: besideMs(context) })
    expectWhole(trial)
    trials.push(trial)
    say(
      `${members} members, ${sizeName(size)}, ${n + 1} of ${repeat}: ${Math.round(trial.wallMs)} ms, exit ${trial.exitCode}`,
    )
  }
  return { members, size, onDisksInMemory, trials }
}

const tableOf = (
  title: string,
  first: string,
  rows: readonly Row[],
  name: (row: Row) => string,
  more: readonly Cell[][] = [],
): Table => ({
  title,
  columns: [
    first,
    ...measures.map(measure => measure.name),
    'failing over, failed',
    'out at once',
    'generator late',
    'CPU',
    'peak memory',
  ],
  rows: [
    ...rows.map((row): Cell[] => [
      name(row),
      ...measures.map(({ of }) => ms(row.trials.map(of))),
      figure(
        'count',
        row.trials.map(({ clients }) => clients?.failoverFailed ?? 0),
      ),
      figure(
        'count',
        row.trials.map(({ mostOut }) => mostOut),
      ),
      ms(row.trials.map(({ clients }) => clients?.generatorLatestMs ?? 0)),
      ms(row.trials.map(({ cpuMs }) => cpuMs)),
      bytes(row.trials.map(({ peakMemory }) => peakMemory)),
    ]),
    ...more,
  ],
})

/** Those on the kind of disk that the first is on: others do not lie on the same line. */
const alike = (rows: readonly Row[]): readonly Row[] =>
  rows.filter(row => row.onDisksInMemory === rows[0]?.onDisksInMemory)

/** Where the straight line through the medians leads at a size. */
const at =
  (rows: readonly Row[], size: number) =>
  (of: (trial: Trial) => number): number =>
    Math.max(
      0,
      lineThrough(rows.map(row => ({ x: row.size, y: summaryOf(row.trials.map(of)).median })))(size),
    )

const onPaper = (rows: readonly Row[], size: number): Cell[] => {
  const far = at(rows, size)
  return [
    `${sizeName(size)}, on paper from up to ${sizeName(Math.max(...rows.map(row => row.size)))}`,
    ...measures.map(({ of }) => ms([far(of)])),
    ...['-', '-', '-'],
    ms([far(({ cpuMs }) => cpuMs)]),
    bytes([far(({ peakMemory }) => peakMemory)]),
  ]
}

const named = ({ size, onDisksInMemory }: Row): string =>
  sizeName(size) + (onDisksInMemory ? '' : ', one disk for all')

const FLEET = 500

const freedOf = ({ members }: Trial): number =>
  members.reduce((sum, { before, after }) => sum + before - after, 0)

/** One run a night in each cluster; the clusters do not wait for each other. `known`: what 8 GiB are reckoned from. */
const fleetTable = (rows: readonly Row[], known: readonly Row[]): Table => {
  const rowOf = (name: string, of: (get: (trial: Trial) => number) => readonly number[]): Cell[] => {
    const cpu = of(({ cpuMs }) => cpuMs)
    return [
      name,
      ms(of(({ wallMs }) => wallMs)),
      ms(cpu),
      ms(cpu.map(each => each * FLEET)),
      bytes(of(freedOf).map(each => each * FLEET)),
    ]
  }
  return {
    title: `${FLEET} clusters of three, each night, on paper`,
    columns: [
      ...['database', 'a run', 'CPU time of this tool', 'of it in all clusters'],
      'given back by all members',
    ],
    rows: [
      ...rows.map(row => rowOf(named(row), get => row.trials.map(get))),
      ...(known.length === 0
        ? []
        : [rowOf(`${sizeName(8 * GIB)}, on paper`, get => [at(known, 8 * GIB)(get)])]),
    ],
  }
}

const plotsOf = (
  name: string,
  by: string,
  label: string,
  rows: readonly Row[],
  x: (row: Row) => number,
): readonly Plot[] => {
  const plot = (of: readonly Measure[], what: string, unit: string, scale: 'linear' | 'log'): Plot => ({
    name: `scale-${name}-${what.replaceAll(' ', '-')}`,
    title: `By ${by}: ${what}`,
    x: { label, scale: name === 'size' ? 'log' : 'linear' },
    y: { label: unit, scale },
    series: of.map(measure => seriesOf(measure, rows, x)),
  })
  return [
    plot(steady, 'what is to stay', 'ms', 'linear'),
    plot([...growing, cpu], 'what grows', 'ms', 'log'),
    plot([memory], 'memory', 'MiB', 'linear'),
  ]
}

const seriesOf = (measure: Measure, rows: readonly Row[], x: (row: Row) => number) => ({
  name: measure.name,
  isLine: true,
  points: rows.map(row => pointOf(x(row), row.trials.map(measure.of))),
})
