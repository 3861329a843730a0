import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encoding } from '../../src/backup/xz.js'
import { programOf } from '../lab/cluster.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { type EndToEnd, endToEnd } from './endToEnd.js'
import { needsRoot } from './loaded.js'
import { measured } from './measured.js'
import { atQuarterSize, type Context, GIB, MIB, type Part, sizeName } from './part.js'
import { bytes, type Cell, figure, ms, type Table } from './report.js'
import { settle } from './settle.js'
import { frontOf, inTurn, ratiosOf, summaryOf } from './statistics.js'
import { compressed, nameOf, type Outcome, type Setting, settingsOf } from './sweep.js'
import { etcdctlEnvironment } from './tools.js'
import { type UnderLoad, underLoad } from './underLoad.js'

export const compression: Part = {
  title: 'Compression',
  about:
    'A database of a quarter of the size. End to end: from the start of the process to a verified and durable archive, beside etcdctl and xz, which verify nothing and sync only the snapshot, of a member that has been defragmented. `ratio a second`: how many times smaller the archive is, by the time that it took. The sweep: one snapshot of a quarter of that, with one thread and with two, in blocks of 4 MiB, at the preset of the defaults in blocks of 1 and 16 MiB too, by the liblzma of the package through lzma-native, synced, and by this machine’s xz, each as a program of its own; T1 of liblzma is its encoder with threads, with one of them, and of xz the one without, which makes a single block. Under load: three members with 350 operations a second while the sweep’s snapshot is compressed by the defaults, scheduled in several ways.',
  refused: needsRoot,
  async measure(asked) {
    const context = atQuarterSize(asked)
    const whole = await endToEnd(context)
    const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-sweep-'))
    try {
      const file = await snapshotOf(context, join(folder, 'snapshot.db'))
      const page = join(folder, 'page')
      await writeFile(page, Buffer.alloc(4096))
      const sweep: Outcome[][] = []
      const starts: Outcome[] = []
      const settings = settingsOf(context)
      const { preset, threads, blockSize: blockBytes } = encoding()
      for (let n = 0; n < context.repeat; n++) {
        const chosen = { by: 'bundled', preset, threads, blockBytes } as const
        starts.push(await compressed(page, chosen, { env: context.packaged?.env }))
        for (const setting of inTurn(settings, n)) {
          const env = setting.by === 'npm' ? {} : context.packaged?.env
          await settle()
          const outcome = await compressed(file, setting, { env })
          const i = settings.indexOf(setting)
          sweep[i] = [...(sweep[i] ?? []), outcome]
          context.say(
            `${nameOf(setting)}, ${n + 1} of ${context.repeat}: ${Math.round(outcome.wallMs)} ms, ratio ${outcome.ratio.toFixed(2)}`,
          )
        }
      }
      const { size } = await stat(file)
      const loaded = await underLoad(file, context)
      return {
        tables: [...endToEndTables(whole), sweepTable(sweep, starts, size), loadTable(loaded)],
        plots: [sweepPlot(sweep, size)],
        notes: [
          'On the front is what no other setting beats in both time and size.',
          'The bundled liblzma is measured with the start of Node, which runs the bench: see the last row. `npm` is the same liblzma as it comes compiled from npm, whose build leaves out the optimisation of the compiler; without a package all rows are of it.',
          'Under load all of the process is scheduled so, and nothing is verified; the gap is of the clients that are bound to a member.',
        ],
        trials: [...whole, ...sweep.flat(), ...loaded],
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}

/** What a night's backup holds: a database without free pages. */
async function snapshotOf({ suite, size, seed, say }: Context, target: string): Promise<string> {
  const bytes = Math.round(size / 4)
  const database = await databaseOf({ suite, bytes, seed }, say)
  await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: bytes })
  await arena.cluster.etcdctl(['defrag', '--command-timeout=1h'])
  const taken = join(arena.scratch, 'snapshot.db')
  const [member] = arena.cluster.members
  const args = [`--endpoints=${member?.clientUrl}`, 'snapshot', 'save', taken]
  const { code, stderr } = await measured(programOf(suite, 'etcdctl'), args, etcdctlEnvironment(arena))
  if (code !== 0) throw new Error(stderr)
  await copyFile(taken, target)
  return target
}

function endToEndTables(all: readonly EndToEnd[]): readonly Table[] {
  const names = [...new Set(all.map(({ tool }) => tool))]
  const of = (name: string) => all.filter(({ tool }) => tool === name)
  const ours = of(names[0] ?? '')
  return [
    {
      title: `Snapshot to archive, ${sizeName(ours[0]?.snapshotBytes ?? 0)} in use: medians (and ranges)`,
      columns: [
        'tool',
        'wall',
        'CPU',
        'ratio',
        'database a second',
        'wall, ours by theirs',
        'CPU, ours by theirs',
        'archive, ours by theirs',
        'ratio a second, theirs by ours',
      ],
      rows: names.map((name): Cell[] => {
        const own = of(name)
        return [
          name,
          ms(own.map(({ wallMs }) => wallMs)),
          ms(own.map(({ cpuMs }) => cpuMs)),
          figure(
            'ratio',
            own.map(({ snapshotBytes, archiveBytes }) => snapshotBytes / archiveBytes),
          ),
          figure(
            'bytes/s',
            own.map(({ snapshotBytes, wallMs }) => (snapshotBytes / wallMs) * 1000),
          ),
          figure(
            'ratio',
            ratiosOf(
              ours.map(({ wallMs }) => wallMs),
              own.map(({ wallMs }) => wallMs),
            ),
          ),
          figure(
            'ratio',
            ratiosOf(
              ours.map(({ cpuMs }) => cpuMs),
              own.map(({ cpuMs }) => cpuMs),
            ),
          ),
          figure(
            'ratio',
            ratiosOf(
              ours.map(({ archiveBytes }) => archiveBytes),
              own.map(({ archiveBytes }) => archiveBytes),
            ),
          ),
          figure('ratio', ratiosOf(own.map(rateOf), ours.map(rateOf))),
        ]
      }),
    },
  ]
}

const rateOf = ({ snapshotBytes, archiveBytes, wallMs }: EndToEnd): number =>
  (snapshotBytes / archiveBytes / wallMs) * 1000

type Place = Readonly<{ x: number; y: number; setting: Setting }>

/** Seconds for a GiB against what is left of each hundred bytes: the lower the better, both. */
const placesOf = (sweep: readonly (readonly Outcome[])[], size: number): readonly Place[] =>
  sweep.flatMap(outcomes => {
    const [first] = outcomes
    if (first === undefined) return []
    const { median } = summaryOf(outcomes.map(({ wallMs }) => ((wallMs / 1000) * GIB) / size))
    const left = 100 / first.ratio // the same bytes every time
    return [{ x: median, y: left, setting: first.setting }]
  })

const sweepTable = (
  sweep: readonly (readonly Outcome[])[],
  starts: readonly Outcome[],
  size: number,
): Table => {
  const front = new Set(
    frontOf(placesOf(sweep, size).filter(({ setting }) => setting.by === 'bundled')).map(
      ({ setting }) => setting,
    ),
  )
  return {
    title: `Presets, threads and block sizes on a snapshot of ${Math.round(size / MIB)} MiB: medians (and ranges)`,
    columns: ['setting', 'wall', 'CPU', 'ratio', 'data a second', 'memory', 'on the front'],
    rows: sweep
      .map((outcomes): Cell[] => {
        const [first] = outcomes
        return [
          first === undefined ? '' : nameOf(first.setting),
          ms(outcomes.map(({ wallMs }) => wallMs)),
          ms(outcomes.map(({ cpuMs }) => cpuMs)),
          figure(
            'ratio',
            outcomes.map(({ ratio }) => ratio),
          ),
          figure(
            'bytes/s',
            outcomes.map(({ wallMs }) => (size / wallMs) * 1000),
          ),
          bytes(outcomes.map(({ peakMemory }) => peakMemory)),
          first !== undefined && front.has(first.setting) ? 'yes' : '',
        ]
      })
      .concat([
        [
          'starting alone, for a page of 4 KiB',
          ms(starts.map(({ wallMs }) => wallMs)),
          ms(starts.map(({ cpuMs }) => cpuMs)),
          '-',
          '-',
          bytes(starts.map(({ peakMemory }) => peakMemory)),
          '',
        ],
      ]),
  }
}

function sweepPlot(sweep: readonly (readonly Outcome[])[], size: number) {
  const places = placesOf(sweep, size)
  const bundled = places.filter(({ setting }) => setting.by === 'bundled')
  const front = frontOf(bundled)
  const series = (name: string, all: readonly Place[], isLine: boolean, isNamed: boolean) => ({
    name,
    isLine,
    points: all.map(({ x, y, setting }) => ({ x, y, ...(isNamed ? { label: nameOf(setting) } : {}) })),
  })
  return {
    name: 'compression',
    title: 'Size by time: the lower left is the best',
    x: { label: 'seconds for a GiB of database', scale: 'log' as const },
    y: { label: 'archive, % of the database', scale: 'log' as const },
    series: [
      series('front of the bundled liblzma', front, true, true),
      series(
        'other settings of it',
        bundled.filter(place => !front.includes(place)),
        false,
        false,
      ),
      series(
        'xz of this machine',
        places.filter(({ setting }) => setting.by === 'xz'),
        false,
        true,
      ),
    ],
  }
}

const loadTable = (all: readonly UnderLoad[]): Table => ({
  title: 'Compressing beside a loaded cluster: medians (and ranges)',
  columns: ['scheduled', 'wall', 'write, median', 'write, 99 of 100', 'write gap, any member'],
  rows: [...new Set(all.map(({ way }) => way))].map((way): Cell[] => {
    const own = all.filter(one => one.way === way)
    return [
      way,
      way === 'no compression' ? '-' : ms(own.map(({ wallMs }) => wallMs)),
      ms(own.map(({ medianMs }) => medianMs)),
      ms(own.map(({ worstMs }) => worstMs)),
      ms(own.map(({ gapMs }) => gapMs)),
    ]
  }),
})
