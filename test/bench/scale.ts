import { databaseOf } from './database.js'
import { needsRoot } from './loaded.js'
import { memoryFor, noMemoryDisk } from './memoryDisk.js'
import { ownMs } from './own.js'
import { besideMs, type Context, GIB, MIB, type Part, sizeName, sizesOf } from './part.js'
import type { Plot } from './plot.js'
import { bytes, type Cell, ms, type Table } from './report.js'
import { lineThrough, summaryOf } from './statistics.js'
import { ourselves } from './tools.js'
import { type Trial, trialOf } from './trial.js'

type Row = Readonly<{ members: number; size: number; onDisksInMemory: boolean; trials: readonly Trial[] }>

/** Of a trial, what grows with the cluster or with its data. */
const measures: readonly Readonly<{ name: string; of: (trial: Trial) => number }>[] = [
  { name: 'write gap, any member', of: ({ clients }) => clients?.gapMs ?? 0 },
  { name: 'own time', of: ownMs },
  {
    name: 'a member’s defragmentation',
    of: ({ members }) => Math.max(...members.map(({ defragmentMs }) => defragmentMs)),
  },
  { name: 'snapshot', of: ({ spans }) => spans.snapshotMs },
  { name: 'compress', of: ({ spans }) => spans.compressMs },
  { name: 'verify', of: ({ spans }) => spans.verifyMs },
  { name: 'whole run', of: ({ wallMs }) => wallMs },
]

export const scale: Part = {
  title: 'Scale',
  about:
    'This tool’s run under the load of the first part, by the number of members at half the size and by the size of the database with three members; disks in memory that write 400 MB/s each where they fit, the folder for temporary files otherwise. The last lines are on paper: straight lines through the medians.',
  refused: needsRoot,
  async measure(context) {
    const { size, isQuick } = context
    const byMembers: Row[] = []
    for (const members of isQuick ? [1] : [1, 3, 5, 7])
      byMembers.push(await rowOf(members, Math.round(size / 2), context))
    const bySize: Row[] = []
    for (const bytes of sizesOf(context)) bySize.push(await rowOf(3, bytes, context))
    return {
      tables: [
        tableOf(
          `By members, ${sizeName(Math.round(size / 2))}: medians (and ranges)`,
          byMembers,
          ({ members }) => String(members),
        ),
        tableOf(
          'By size of the database, three members: medians (and ranges)',
          bySize,
          row => sizeName(row.size) + (row.onDisksInMemory ? '' : ', one disk for all'),
          isQuick ? [] : onPaper(bySize, 8 * GIB),
        ),
        fleetTable(bySize),
      ],
      plots: [
        plotOf(
          'scale-members',
          'By the number of members',
          'members',
          'linear',
          byMembers,
          ({ members }) => members,
        ),
        plotOf(
          'scale-size',
          'By the size of the database',
          'database, MiB',
          'log',
          bySize,
          row => row.size / MIB,
        ),
      ],
      notes: ['All members share this machine’s cores: beyond one member a core, that is what grows.'],
      trials: [...byMembers, ...bySize].flatMap(({ trials, ...row }) =>
        trials.map(trial => ({ ...row, ...trial })),
      ),
    }
  },
}

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
    ...(onDisksInMemory ? { bytesPerSecond: 400e6 } : {}),
  }
  const trials: Trial[] = []
  for (let n = 0; n < repeat; n++) {
    const trial = await trialOf(ourselves(program, members === 1 ? ['--force-single'] : []), setting, {
      besideMs: besideMs(context),
    })
    trials.push(trial)
    say(
      `${members} members, ${sizeName(size)}, ${n + 1} of ${repeat}: ${Math.round(trial.wallMs)} ms, exit ${trial.exitCode}`,
    )
  }
  return { members, size, onDisksInMemory, trials }
}

const tableOf = (
  title: string,
  rows: readonly Row[],
  name: (row: Row) => string,
  more: readonly Cell[][] = [],
): Table => ({
  title,
  columns: [
    rows.every(({ members }) => members === 3) ? 'database' : 'members',
    ...measures.map(measure => measure.name),
    'peak memory',
  ],
  rows: [
    ...rows.map((row): Cell[] => [
      name(row),
      ...measures.map(({ of }) => ms(row.trials.map(of))),
      bytes(row.trials.map(({ peakMemory }) => peakMemory)),
    ]),
    ...more,
  ],
})

/** Where the straight lines through what was measured lead. */
const onPaper = (rows: readonly Row[], size: number): readonly Cell[][] => {
  const at = (of: (trial: Trial) => number) =>
    Math.max(
      0,
      lineThrough(rows.map(row => ({ x: row.size, y: summaryOf(row.trials.map(of)).median })))(size),
    )
  return [
    [
      `${sizeName(size)}, on paper`,
      ...measures.map(({ of }) => ms([at(of)])),
      bytes([at(({ peakMemory }) => peakMemory)]),
    ],
  ]
}

const FLEET = 500

/** One run a night in each cluster; the clusters do not wait for each other. */
const fleetTable = (rows: readonly Row[]): Table => ({
  title: `${FLEET} clusters of three, each night, on paper`,
  columns: ['database', 'CPU time of all runs', 'of it by each leader’s node', 'given back by all'],
  rows: rows.map((row): Cell[] => {
    const cpu = row.trials.map(({ cpuMs }) => cpuMs)
    const freed = row.trials.map(({ members }) =>
      members.reduce((sum, { before, after }) => sum + before - after, 0),
    )
    return [
      sizeName(row.size),
      ms(cpu.map(each => each * FLEET)),
      ms(cpu),
      bytes(freed.map(each => each * FLEET)),
    ]
  }),
})

const plotOf = (
  name: string,
  title: string,
  label: string,
  scaleOfX: 'linear' | 'log',
  rows: readonly Row[],
  x: (row: Row) => number,
): Plot => ({
  name,
  title,
  x: { label, scale: scaleOfX },
  y: { label: 'ms', scale: 'log' },
  series: measures.map(measure => ({
    name: measure.name,
    isLine: true,
    points: rows.map(row => {
      const { median, min, max } = summaryOf(row.trials.map(measure.of))
      return { x: x(row), y: median, low: min, high: max }
    }),
  })),
})
