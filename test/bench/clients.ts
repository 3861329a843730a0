import { databaseOf } from './database.js'
import { noMemoryDisk } from './memoryDisk.js'
import { besideMs, type Context, type Part } from './part.js'
import { bytes, type Cell, figure, ms } from './report.js'
import { inTurn, summaryOf } from './statistics.js'
import { rivals, type Tool } from './tools.js'
import { type Trial, trialOf } from './trial.js'

type Disk = Readonly<{ name: string; bytesPerSecond: number; outlasting: boolean }>

const disks: readonly Disk[] = [
  { name: 'normal disk, 400 MB/s', bytesPerSecond: 400e6, outlasting: false },
  { name: 'slow disk, 45 MB/s', bytesPerSecond: 45e6, outlasting: false },
  // 0.6 GiB take 43 s: longer than etcdctl's 5 s and than the 30 s of others.
  { name: 'outlasting every deadline, 15 MB/s', bytesPerSecond: 15e6, outlasting: true },
]

type Row = Readonly<{ disk: Disk; tool: Tool; trials: readonly Trial[] }>

export const clients: Part = {
  title: 'What clients feel',
  about:
    'Three members with mutual TLS, each on an ext4 of its own in memory with a write limit of its own, all from copies of one database. An open-loop load of 350 operations a second: a writer and a linearizable reader bound to each member with a deadline of 2 s, and a writer that turns to the next member after 0.2 s. A gap is the longest time without an acknowledged write, from the tool’s start until the tool and the last member were done, and 1.5 s more. `outlasting`: each tool waits 5 s for a defragmentation and is left to its own devices then.',
  refused: noMemoryDisk,
  async measure(context) {
    const { suite, size, seed, repeat, isQuick, say } = context
    const database = await databaseOf({ suite, bytes: size, seed }, say)
    const tools = rivals(context)
    const rows: Row[] = []
    for (const disk of isQuick ? disks.slice(0, 1) : disks) {
      const trials = new Map<Tool, Trial[]>(tools.map(tool => [tool, []]))
      for (let n = 0; n < repeat; n++)
        for (const tool of inTurn(tools, n)) {
          const { bytesPerSecond, outlasting } = disk
          const setting = { suite, members: 3, database, databaseBytes: size, bytesPerSecond }
          const trial = await trialOf(tool, setting, { besideMs: besideMs(context), outlasting })
          trials.get(tool)?.push(trial)
          say(`${disk.name}, ${tool.name}, ${n + 1} of ${repeat}: ${lineOf(trial)}`)
        }
      for (const tool of tools) rows.push({ disk, tool, trials: trials.get(tool) ?? [] })
    }
    return {
      tables: [feltTable(rows), membersTable(rows)],
      plots: [gapPlot(context, rows)],
      notes: [
        'Gaps below about 0.15 s are noise on two cores; the generator’s own worst delay is beside them.',
        'Failed operations are those of the clients that are bound to a member; a member that is defragmented answers none of them. Their share is of the operations that were due while members were being defragmented.',
        'etcdctl and the script defragment the leader or a member at a time when another still is; `out at once` is read from the members’ logs.',
      ],
      trials: rows.flatMap(({ disk, trials }) => trials.map(trial => ({ disk: disk.name, ...trial }))),
    }
  },
}

const lineOf = ({ exitCode, clients: felt, mostOut, wallMs }: Trial): string =>
  `exit ${exitCode}, ${Math.round(wallMs)} ms, gap ${Math.round(felt?.gapMs ?? 0)} ms, ${felt?.failed} of ${felt?.sent} failed, ${mostOut} out at once`

const each = (trials: readonly Trial[], of: (trial: Trial) => number | undefined): number[] =>
  trials.flatMap(trial => of(trial) ?? [])

const feltTable = (rows: readonly Row[]) => ({
  title: 'What clients feel: medians (and ranges)',
  columns: [
    ...[
      'disk, tool',
      'write gap, any member',
      'write gap, failing over',
      'failed',
      'share',
      'failing over, failed',
    ],
    ...['leader changes', 'out at once', 'generator late', 'members smaller', 'exit'],
  ],
  rows: rows.map(({ disk, tool, trials }): Cell[] => {
    const felt = (of: (clients: NonNullable<Trial['clients']>) => number) =>
      each(trials, ({ clients: all }) => all && of(all))
    return [
      `${disk.name}: ${tool.name}`,
      ms(felt(({ gapMs }) => gapMs)),
      ms(felt(({ failoverGapMs }) => failoverGapMs)),
      figure(
        'count',
        felt(({ failed }) => failed),
      ),
      figure(
        'percent',
        felt(({ failedShare }) => failedShare * 100),
      ),
      figure(
        'count',
        felt(({ failoverFailed }) => failoverFailed),
      ),
      figure(
        'count',
        each(trials, ({ leaderChanges }) => leaderChanges),
      ),
      figure(
        'count',
        each(trials, ({ mostOut }) => mostOut),
      ),
      ms(felt(({ generatorLatestMs }) => generatorLatestMs)),
      figure('count', each(trials, smaller)),
      [...new Set(trials.map(({ exitCode }) => String(exitCode)))].join(', '),
    ]
  }),
})

const smaller = ({ members }: Trial): number => members.filter(({ before, after }) => after < before).length

/** Over all members of all trials: the longest gap beside the defragmentation that it belongs to. */
const membersTable = (rows: readonly Row[]) => ({
  title: 'A member’s own gap in writes beside its own defragmentation',
  columns: ['disk, tool', 'defragmentation', 'gap', 'gap beyond it', 'file before', 'file after'],
  rows: rows.map(({ disk, tool, trials }): Cell[] => {
    const members = trials.flatMap(trial => trial.members)
    return [
      `${disk.name}: ${tool.name}`,
      ms(members.map(({ defragmentMs }) => defragmentMs)),
      ms(members.flatMap(({ gapMs }) => gapMs ?? [])),
      ms(members.flatMap(({ gapMs, defragmentMs }) => (gapMs === undefined ? [] : gapMs - defragmentMs))),
      bytes(members.map(({ before }) => before)),
      bytes(members.map(({ after }) => after)),
    ]
  }),
})

const gapPlot = ({ isQuick }: Context, rows: readonly Row[]) => {
  const names = (isQuick ? disks.slice(0, 1) : disks).map(({ name }) => name)
  const tools = [...new Set(rows.map(({ tool }) => tool.name))]
  return {
    name: 'write-gap',
    title: 'Longest gap in writes through any member',
    x: { label: 'disk', scale: 'linear' as const, names },
    y: { label: 'ms', scale: 'log' as const },
    series: tools.map(name => ({
      name,
      isLine: false,
      points: rows.flatMap(({ disk, tool, trials }) => {
        if (tool.name !== name) return []
        const { median, min, max } = summaryOf(each(trials, ({ clients: felt }) => felt?.gapMs))
        return [{ x: names.indexOf(disk.name), y: median, low: min, high: max }]
      }),
    })),
  }
}
