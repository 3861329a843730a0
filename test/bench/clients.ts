import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { databaseOf } from './database.js'
import { now } from './measured.js'
import { noMemoryDisk, SPEED } from './memoryDisk.js'
import { besideMs, type Part } from './part.js'
import { bytes, type Cell, type Findings, figure, ms } from './report.js'
import { inTurn, pointOf, ratiosOf } from './statistics.js'
import { nothing, OURS, patientEtcdctl, rivals, type Tool } from './tools.js'
import { exits, smaller, type Trial, trialOf } from './trial.js'

type Disk = Readonly<{ name: string; bytesPerSecond: number; outlasting: boolean }>

const ABOUT =
  'Three members with mutual TLS, each on an ext4 of its own in memory with a write limit of its own, all from copies of one database; they and each tool in a session of its own, as systemd starts them. An open-loop load of 350 operations a second: a writer and a linearizable reader bound to each member with a deadline of 2 s, and a writer that turns to the next member after 0.2 s. A gap is the longest time without an acknowledged write, from the tool’s start until the tool and the last member were done, and 1.5 s more. etcdctl, and with it the script, waits 5 s for a defragmentation, as it does unless it is told otherwise: it is measured told so too. `no tool` is the load alone, for as long as this tool’s run before it took.'

/** What clients feel where members write to such a disk. */
const on = (disk: Disk, more = ''): Part => ({
  title: `What clients feel, ${disk.name}`,
  about: `${ABOUT}${more}`,
  refused: noMemoryDisk,
  async measure(context) {
    const { suite, size, seed, repeat, isQuick, say } = context
    const database = await databaseOf({ suite, bytes: size, seed }, say)
    const trials: Trial[] = []
    // The longest gap of a longer time is longer.
    const lastOfOurs = () =>
      isQuick ? 1000 : (trials.findLast(({ tool }) => tool === OURS)?.wallMs ?? 30_000)
    const tools = [...rivals(context), ...(isQuick ? [] : [patientEtcdctl]), nobody(lastOfOurs)]
    const { bytesPerSecond, outlasting } = disk
    const setting = { suite, members: 3, database, databaseBytes: size, bytesPerSecond }
    for (let n = 0; n < repeat; n++)
      for (const tool of inTurn(tools, n)) {
        const trial = await trialOf(tool, setting, { besideMs: besideMs(context), outlasting })
        trials.push(trial)
        say(`${tool.name}, ${n + 1} of ${repeat}: ${lineOf(trial)}`)
      }
    return findingsOf(trials, bytesPerSecond)
  },
})

export const clients = on({ name: 'normal disk, 400 MB/s', bytesPerSecond: SPEED.normal, outlasting: false })
export const clientsSlow = on({ name: 'slow disk, 45 MB/s', bytesPerSecond: SPEED.slow, outlasting: false })
export const clientsOutlasting = on(
  // 0.6 GiB take 32 s: longer than etcdctl's 5 s and than the 30 s of others.
  { name: 'disk of 20 MB/s, longer than deadlines of 5 and 30 s', bytesPerSecond: 20e6, outlasting: true },
  ' This tool is told to wait 5 s as well, so that its deadline is outlasted like the others’, 20 min for a member to come back, and to touch members that will be out for longer than it lets them be by itself (`--defrag-timeout 5s --settle-timeout 20m --max-stall 1h`).',
)

/** Trials of one tool. */
type Row = Readonly<{ tool: string; trials: readonly Trial[] }>

function findingsOf(trials: readonly Trial[], bytesPerSecond: number): Findings {
  const tools = distinct(trials.map(({ tool }) => tool))
  const rows = tools.map(tool => ({ tool, trials: trials.filter(one => one.tool === tool) }))
  return {
    tables: [feltTable(rows), membersTable(rows)],
    plots: [gapPlot(rows, bytesPerSecond)],
    notes: [
      'All members, the load and the tool share the cores of this machine: what a backup costs the clients of its own node, it costs here those of all three.',
      'Failed operations are those of the clients that are bound to a member: it answers nothing while it is being defragmented, and what has waited for 2 s has failed. Their share is of the operations that were due between the start of the first defragmentation and the end of the last, pauses between them included.',
      'A client that fails over notices after 0.2 s that a member is out: its gap is not below that where it had been with one.',
      '`out at once` is how many members were being defragmented at the same time, by their logs; `members smaller`, how many files were smaller than before. The script ends with 0 whatever happened.',
      '`it was during` is what went on at the members in the longest gap: a change of leader if there was one in it, else a defragmentation, else the rest, which is the backup and the time between. Gaps until the last member is defragmented and after it are told apart, since only some of the tools make a backup; what lies across that moment is cut there in two.',
      'The generator has real-time priority; by how much it was late at the worst is the most that the machine itself adds to a gap.',
      `Members, load and tool share ${availableParallelism()} cores: a defragmentation may take longer than alone (see the one beside a plain copy).`,
      'Disks in memory have no time of their own for a sync, and reads are not limited. Archives are written to the machine’s disk, not to the members’.',
    ],
    trials,
  }
}

/** What the machine does to clients by itself. */
const nobody = (wallMs: () => number): Tool => ({
  name: 'no tool',
  async work() {
    const startedAt = now()
    await sleep(wallMs())
    const measured = { code: null, stdout: '', stderr: '', startedAt, endedAt: now() }
    return { measured: { ...measured, cpuMs: 0, peakMemory: 0, course: [] }, spans: nothing }
  },
})

const lineOf = ({ exitCode, clients: felt, mostOut, wallMs }: Trial): string =>
  `exit ${exitCode}, ${Math.round(wallMs)} ms, gap ${Math.round(felt?.gapMs ?? 0)} ms during ${felt?.gapDuring}, ${felt?.failed} of ${felt?.sent} failed, ${mostOut} out at once`

/** `4 × this, 1 × that`. */
const tallied = (names: readonly string[]): string =>
  distinct(names)
    .map(name => `${names.filter(one => one === name).length} × ${name}`)
    .join(', ')

const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)]

const each = (trials: readonly Trial[], of: (trial: Trial) => number | undefined): number[] =>
  trials.flatMap(trial => of(trial) ?? [])

const gapsOf = (trials: readonly Trial[]): number[] => each(trials, ({ clients: felt }) => felt?.gapMs)

const feltTable = (rows: readonly Row[]) => ({
  title: 'What clients feel: medians (and ranges)',
  columns: [
    ...[
      'tool',
      'write gap, any member',
      'until the last is defragmented',
      'after that',
      'gap, ours by theirs',
      'it was during',
      'write gap, failing over',
      'failed',
      'share',
      'failing over, failed',
    ],
    ...['leader changes', 'out at once', 'generator late', 'members smaller', 'wall', 'exit'],
  ],
  rows: rows.map(({ tool, trials }, i): Cell[] => {
    const felt = (of: (clients: NonNullable<Trial['clients']>) => number | undefined) =>
      each(trials, ({ clients: all }) => all && of(all))
    return [
      tool,
      ms(gapsOf(trials)),
      ms(felt(({ gapUntilLastMs }) => gapUntilLastMs)),
      ms(felt(({ gapAfterMs }) => gapAfterMs)),
      figure('ratio', i === 0 ? [] : ratiosOf(gapsOf(rows[0]?.trials ?? []), gapsOf(trials))),
      tallied(trials.map(({ clients: all }) => all?.gapDuring ?? '-')),
      ms(felt(({ failoverGapMs }) => failoverGapMs)),
      figure(
        'count',
        felt(({ failed }) => failed),
      ),
      figure(
        'percent',
        felt(({ failedShare: share }) => (share === undefined ? undefined : share * 100)),
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
      ms(each(trials, ({ wallMs }) => wallMs)),
      exits(trials),
    ]
  }),
})

/** Of each trial the member that fared worst. */
const membersTable = (rows: readonly Row[]) => ({
  title: 'The worst member of each trial: its gap in writes beside its defragmentation',
  columns: [
    ...['tool', 'longest defragmentation', 'longest gap', 'most of a gap beyond its defragmentation'],
    ...['defragmentations', 'files before', 'of them in use', 'files after'],
  ],
  rows: rows.map(({ tool, trials }): Cell[] => {
    const worst = (of: (member: Trial['members'][number]) => number) =>
      trials.map(({ members }) => Math.max(...members.map(of)))
    return [
      tool,
      ms(worst(({ defragmentMs }) => defragmentMs)),
      ms(worst(({ gapMs }) => gapMs ?? 0)),
      ms(worst(({ beyondMs }) => beyondMs ?? 0)),
      figure(
        'count',
        trials.map(({ members }) => members.reduce((sum, { count }) => sum + count, 0)),
      ),
      bytes(trials.flatMap(({ members }) => members.map(({ before }) => before))),
      figure(
        'percent',
        trials.flatMap(({ members }) => members.map(({ before, inUse }) => (inUse / before) * 100)),
      ),
      bytes(trials.flatMap(({ members }) => members.map(({ after }) => after))),
    ]
  }),
})

const gapPlot = (rows: readonly Row[], bytesPerSecond: number) => ({
  name: `write-gap-${bytesPerSecond / 1e6}`,
  title: `Longest gap in writes through any member, ${bytesPerSecond / 1e6} MB/s`,
  x: { label: 'tool', scale: 'linear' as const, names: rows.map(({ tool }) => tool) },
  y: { label: 'ms', scale: 'log' as const },
  series: [
    {
      name: 'longest gap',
      isLine: false,
      points: rows.map(({ trials }, x) => pointOf(x, gapsOf(trials))),
    },
  ],
})
