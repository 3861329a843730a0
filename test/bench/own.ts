import { databaseOf } from './database.js'
import { noMemoryDisk, SPEED } from './memoryDisk.js'
import { atQuarterSize, MIB, type Part, sizeName, sizesOf } from './part.js'
import { type Cell, figure, ms, type Table } from './report.js'
import { inTurn, pointOf, ratiosOf } from './statistics.js'
import { rivals, type Tool } from './tools.js'
import { exits, expectWhole, smaller, type Trial, trialOf } from './trial.js'

type Row = Readonly<{ size: number; tool: Tool; trials: readonly Trial[] }>

/** What a run takes beyond the work itself. */
export const ownMs = ({ wallMs, defragmentingMs, spans }: Trial): number =>
  wallMs - defragmentingMs - spans.snapshotMs - spans.compressMs

/** The same of its first half: from the start until the last member is defragmented. */
const untilLastOwnMs = ({ untilLastMs, defragmentingMs }: Trial): number => untilLastMs - defragmentingMs

/** Of own time, what none of its spans has. */
const restMs = (trial: Trial): number => {
  const { startMs, firstLookMs, betweenMs, moveLeaderMs, verifyMs, trimMs, endMs } = trial.spans
  const named = [startMs, firstLookMs, betweenMs, moveLeaderMs, verifyMs, trimMs, endMs]
  return named.reduce((left: number, span) => left - (span ?? 0), ownMs(trial))
}

export const own: Part = {
  title: 'Time that is not etcd’s',
  about:
    'Wall time from the start of the process to its end, three members, no load, less the time in which a member was being defragmented by its own log, and less what snapshot and compression took. `until the last`: the same from the start to the end of the last defragmentation, where the readiness of each member is proven before the next is touched. Databases of up to a quarter of the size. The disks write 400 MB/s each.',
  async measure(asked) {
    const context = atQuarterSize(asked)
    const refused = noMemoryDisk()
    const { suite, seed, repeat, say } = context
    // The last is the script, whose sleeps alone take longer than all that a quick round does.
    const tools = context.isQuick ? rivals(context).slice(0, -1) : rivals(context)
    const rows: Row[] = []
    for (const size of context.isQuick
      ? [context.size]
      : sizesOf(context).filter(bytes => bytes <= context.size)) {
      const database = await databaseOf({ suite, bytes: size, seed }, say)
      const trials = new Map<Tool, Trial[]>(tools.map(tool => [tool, []]))
      const limit = refused === undefined ? { bytesPerSecond: SPEED.normal } : {}
      for (let n = 0; n < repeat; n++)
        for (const tool of inTurn(tools, n)) {
          const setting = { suite, members: 3, database, databaseBytes: size, ...limit }
          const trial = await trialOf(tool, setting)
          if (tool.isOurs) expectWhole(trial)
          trials.get(tool)?.push(trial)
          say(
            `${sizeName(size)}, ${tool.name}, ${n + 1} of ${repeat}: own ${Math.round(ownMs(trial))} ms of ${Math.round(trial.wallMs)}`,
          )
        }
      for (const tool of tools) rows.push({ size, tool, trials: trials.get(tool) ?? [] })
    }
    return {
      tables: [table(rows)],
      plots: [
        {
          name: 'own-time',
          title: 'Time that is not etcd’s, three members',
          x: {
            label: 'database, MiB',
            scale: 'linear',
            ...(context.isQuick ? { names: rows.slice(0, 1).map(({ size }) => sizeName(size)) } : {}),
          },
          y: { label: 'ms', scale: 'log' },
          series: tools.map(tool => ({
            name: tool.name,
            isLine: true,
            points: rows
              .filter(row => row.tool === tool)
              .map(({ size, trials }) => pointOf(context.isQuick ? 0 : size / MIB, trials.map(ownMs))),
          })),
        },
      ],
      notes: [
        'etcd answers MoveLeader at its next heartbeat, 0.1 s later; what counts is that the ex-leader follows, which it says itself some milliseconds after the call. Of own time, starting is until the program has read its configuration; the first look goes on until the first step, with both locks; between steps are the looks that prove each member ready. Verifying is what is left of it once all is compressed: as long as both go on it counts as compressing, and both are as this tool tells them. Ending is from the last step to the end of the process: the note in etcd, the locks given back, the report. The rest is in steps: of a Defragment what its member’s log has not, of a backup the checks before it and putting it in place.',
        'The script proves no member ready before it goes on, and waits 5 s in two fixed sleeps; its snapshot is not verified, and it ends with 0 whatever happened. etcdctl makes no backup: its own time is all but the defragmentations.',
        'Larger databases are in the part on scale, under load and for this tool alone: the script’s xz takes two minutes for each GiB.',
        ...(refused === undefined ? [] : [`Without limits of their own for the disks: ${refused}.`]),
      ],
      trials: rows.flatMap(({ size, trials }) => trials.map(trial => ({ size, ...trial }))),
    }
  },
}

const table = (rows: readonly Row[]): Table => ({
  title: 'Own time by size of the database: medians (and ranges)',
  columns: [
    'database, tool',
    'own',
    'own, ours by theirs',
    'own, until the last',
    ...[
      'of own: starting',
      'first look',
      'between steps',
      'MoveLeader',
      'verifying',
      'trimming',
      'ending',
      'the rest',
    ],
    ...['wall', 'defragmenting', 'snapshot', 'compressing', 'members smaller', 'exit'],
  ],
  rows: rows.map(({ size, tool, trials }): Cell[] => [
    `${sizeName(size)}: ${tool.name}`,
    ms(trials.map(ownMs)),
    figure(
      'ratio',
      tool.isOurs
        ? []
        : ratiosOf(
            rows.filter(row => row.size === size && row.tool.isOurs).flatMap(row => row.trials.map(ownMs)),
            trials.map(ownMs),
          ),
    ),
    ms(trials.map(untilLastOwnMs)),
    ms(trials.flatMap(({ spans }) => spans.startMs ?? [])),
    ms(trials.flatMap(({ spans }) => spans.firstLookMs ?? [])),
    ms(trials.flatMap(({ spans }) => spans.betweenMs ?? [])),
    ms(trials.flatMap(({ spans }) => spans.moveLeaderMs ?? [])),
    ms(trials.map(({ spans }) => spans.verifyMs)),
    ms(trials.map(({ spans }) => spans.trimMs)),
    ms(trials.flatMap(({ spans }) => spans.endMs ?? [])),
    ms(tool.isOurs ? trials.map(restMs) : []),
    ms(trials.map(({ wallMs }) => wallMs)),
    ms(trials.map(({ defragmentingMs }) => defragmentingMs)),
    ms(trials.map(({ spans }) => spans.snapshotMs)),
    ms(trials.map(({ spans }) => spans.compressMs)),
    figure('count', trials.map(smaller)),
    exits(trials),
  ]),
})
