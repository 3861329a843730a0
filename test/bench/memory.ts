import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { programOf } from '../lab/cluster.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { type Measured, measured } from './measured.js'
import { type Context, MIB, type Part, sizeName, sizesOf } from './part.js'
import { bytes, type Cell, figure, type Table } from './report.js'
import { pointOf, summaryOf } from './statistics.js'
import { env, stallingAt } from './tools.js'

const jobs = ['run', 'verify', 'restore'] as const
type Job = (typeof jobs)[number]
type Row = Readonly<{ size: number; snapshotBytes: number[]; peaks: Readonly<Record<Job, number[]>> }>

const RUNS = 150

export const memory: Part = {
  title: 'Memory',
  about:
    'The most resident memory that the process had at once (VmHWM, proc(5)), a single member: of a run with its backup, of `backup verify` and of `backup restore` of the archive, which holds what was in use; etcdutl, which a restore starts, is a process of its own and not counted. What three members cost a run is in the part on scale. Above 2 GiB with `--max-stall 1h`. Then run after run in one process, with a database of 16 MiB, a garbage collection before each look.',
  async measure(context) {
    const rows: Row[] = []
    for (const size of sizesOf(context)) rows.push(await peaksAt(size, context))
    const growth = await growthOver(context.isQuick ? 2 : RUNS, context)
    return {
      tables: [peakTable(rows), growthTable(growth)],
      plots: [peakPlot(rows), growthPlot(growth)],
      notes: [],
      trials: [...rows, { growth }],
    }
  },
}

async function peaksAt(size: number, context: Context): Promise<Row> {
  const { suite, seed, repeat, program, say } = context
  const [node, ...first] = program
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  const peaks: Row['peaks'] = { run: [], verify: [], restore: [] }
  const snapshotBytes: number[] = []
  for (let n = 0; n < repeat; n++) {
    await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: size })
    const { cluster, scratch } = arena
    const [member] = cluster.members
    if (member === undefined) throw new Error('no member')
    const archive = join(scratch, 'etcd-backup.xz')
    const restored = join(scratch, 'restored')
    const commands: Readonly<Record<Job, readonly string[]>> = {
      run: [
        'run',
        ...cluster.flags(member),
        '--force-single',
        '--no-trim',
        '--backup-path',
        archive,
        ...stallingAt(size),
      ],
      verify: ['backup', 'verify', archive],
      restore: [
        'backup',
        'restore',
        archive,
        '--data-dir',
        restored,
        '--etcdutl',
        programOf(suite, 'etcdutl'),
        ...identity,
      ],
    }
    for (const job of jobs) {
      const ended = await measured(node, [...first, ...commands[job]], env())
      expectSuccess(job, ended)
      peaks[job].push(ended.peakMemory)
    }
    const provenance = JSON.parse(await readFile(`${archive}.json`, 'utf8')) as { content: { bytes: number } }
    snapshotBytes.push(provenance.content.bytes)
    say(
      `${sizeName(size)}, ${n + 1} of ${repeat}: ${jobs.map(job => `${job} ${Math.round((peaks[job].at(-1) ?? 0) / MIB)} MiB`).join(', ')}`,
    )
    await rm(restored, { recursive: true, force: true })
  }
  return { size, snapshotBytes, peaks }
}

const identity = [
  '--name',
  'm1',
  '--initial-cluster',
  'm1=http://127.0.0.1:2380',
  '--initial-advertise-peer-urls',
  'http://127.0.0.1:2380',
]

function expectSuccess(job: string, { code, stdout, stderr }: Measured): void {
  if (code !== 0) throw new Error(`${job} ended with ${code}:\n${stdout}\n${stderr}`)
}

/** Resident memory after each run, bytes. */
async function growthOver(
  runs: number,
  { suite, seed, program: [node, ...first], packaged, say }: Context,
): Promise<readonly number[]> {
  const size = 16 * MIB
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: size })
  const { cluster, scratch } = arena
  const [member] = cluster.members
  if (member === undefined) throw new Error('no member')
  const archive = ['--backup-path', join(scratch, 'etcd-backup.xz'), '--force-single', '--no-trim']
  const args = [
    ...first.slice(0, -1),
    '--expose-gc',
    join(import.meta.dirname, 'manyRuns.js'),
    String(runs),
    ...cluster.flags(member),
    ...archive,
  ]
  const ended = await measured(node, args, { ...env(), ...packaged?.env })
  expectSuccess(`${runs} runs`, ended)
  return JSON.parse(ended.stdout) as number[]
}

const peakTable = (rows: readonly Row[]): Table => ({
  title: 'Peak of resident memory: medians (and ranges)',
  columns: ['database', 'in the archive', ...jobs],
  rows: rows.map(({ size, snapshotBytes, peaks }): Cell[] => [
    sizeName(size),
    bytes(snapshotBytes),
    ...jobs.map(job => bytes(peaks[job])),
  ]),
})

const peakPlot = (rows: readonly Row[]) => ({
  name: 'memory',
  title: 'Peak of resident memory',
  x: { label: 'database, MiB', scale: 'log' as const },
  y: { label: 'MiB', scale: 'linear' as const },
  series: jobs.map(job => ({
    name: job,
    isLine: true,
    points: rows.map(({ size, peaks }) =>
      pointOf(
        size / MIB,
        peaks[job].map(peak => peak / MIB),
      ),
    ),
  })),
})

/** In thirds, without the first fifth: caches fill, code is compiled and memory finds its place in it. */
const growthTable = (growth: readonly number[]): Table => {
  const from = Math.floor(growth.length / 5)
  const each = Math.ceil((growth.length - from) / 3)
  const thirds = [0, 1, 2]
    .map(n => ({ first: from + n * each, sizes: growth.slice(from + n * each, from + (n + 1) * each) }))
    .filter(({ sizes }) => sizes.length > 0)
  const medians = thirds.map(({ sizes }) => summaryOf(sizes).median)
  return {
    title: `Resident memory over ${growth.length} runs in one process`,
    columns: ['runs', 'resident memory after each'],
    rows: [
      ['the first', bytes(growth.slice(0, 1))],
      ...thirds.map(({ first, sizes }): Cell[] => [`${first + 1} to ${first + sizes.length}`, bytes(sizes)]),
      [
        'the last by the first of these',
        figure('ratio', [(medians.at(-1) ?? 0) / (medians[0] ?? Number.NaN)]),
      ],
    ],
  }
}

const growthPlot = (growth: readonly number[]) => ({
  name: 'memory-growth',
  title: 'Resident memory over runs in one process',
  x: { label: 'run', scale: 'linear' as const },
  y: { label: 'MiB', scale: 'linear' as const },
  series: [
    { name: 'after the run', isLine: true, points: growth.map((rss, i) => ({ x: i + 1, y: rss / MIB })) },
  ],
})
