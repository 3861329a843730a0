import { join } from 'node:path'
import { type LabMember, programOf } from '../lab/cluster.js'
import type { Arena } from './arena.js'
import { type Measured, measured } from './measured.js'
import { type Context, GIB } from './part.js'

/** How this tool is started: Node, its flags and the program. */
export type Program = readonly [string, ...string[]]
export type Spans = Readonly<{
  /** Until the program has read its configuration and begins, and the call by itself, ms; undefined where nobody tells. */
  startMs?: number
  moveLeaderMs?: number
  /** From there to the first step, from one step to the next in all, and from the last one to the end of the process. */
  firstLookMs?: number
  betweenMs?: number
  endMs?: number
  /** Taking, compressing, verifying and trimming; what is not done takes no time. */
  snapshotMs: number
  compressMs: number
  verifyMs: number
  trimMs: number
}>

export type Work = Readonly<{ measured: Measured; spans: Spans }>

/** Something that defragments a whole cluster, as people start it. */
export type Tool = Readonly<{
  name: string
  isOurs?: true
  /** `outlasting`: a defragmentation takes longer than the tool waits for its answer. */
  work(arena: Arena, leader: LabMember, outlasting: boolean): Promise<Work>
}>

export const nothing: Spans = { snapshotMs: 0, compressMs: 0, verifyMs: 0, trimMs: 0 }

/** Other than in a bench, members have been up for longer and the last run was yesterday. */
export const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  ETCD_DEFRAG_MIN_INTERVAL: '0s',
  ETCD_DEFRAG_MIN_UPTIME: '0s',
})

/** Where a member is out for longer than the default lets it be, by the pace of a slow disk. */
const stalling = ['--max-stall', '1h']
export const stallingAt = (databaseBytes: number): readonly string[] =>
  databaseBytes > 2 * GIB ? stalling : []

const ETCDCTL_TIMEOUT = '5s' // etcdctl's own --command-timeout

export const OURS = 'etcd-defrag'

export const ourselves = ([program, ...first]: Program, more: readonly string[] = []): Tool => ({
  name: OURS,
  isOurs: true,
  async work(arena, leader, outlasting) {
    const { cluster, scratch } = arena
    // It is told to expect no answer within etcdctl's time, and not to leave a member alone that will be out for long.
    const patient = ['--defrag-timeout', ETCDCTL_TIMEOUT, '--settle-timeout', '20m', ...stalling]
    const ended = await measured(
      program,
      [
        ...[...first, 'run', ...cluster.flags(leader), '--output', 'json'],
        ...['--data-dir', leader.dataDir, '--backup-path', join(scratch, 'ours.xz')],
        ...(outlasting ? patient : []),
        ...more,
      ],
      env(),
    )
    if (ended.stdout === '') throw new Error(`etcd-defrag ended with ${ended.code}: ${ended.stderr}`)
    return { measured: ended, spans: spansOf(ended.stdout, ended) }
  },
})

/** From the JSON document of a run, and when its process was started and ended, ms since the epoch. */
export function spansOf(document: string, process: Readonly<{ startedAt: number; endedAt: number }>): Spans {
  const { startedAt, steps } = JSON.parse(document) as {
    startedAt: string
    steps: {
      step: string
      startedAt: string
      tookMs: number
      result?: Partial<Spans & { spooled: boolean }>
    }[]
  }
  const begun = Date.parse(startedAt)
  const stretches = steps.map(step => {
    const from = Date.parse(step.startedAt)
    return { from, until: from + step.tookMs }
  })
  const [first = { from: begun, until: begun }] = stretches
  const last = stretches.at(-1) ?? first
  const inSteps = stretches.reduce((sum, { from, until }) => sum + until - from, 0)
  const tookMs = (name: string) =>
    steps.filter(({ step }) => step === name).reduce((sum, step) => sum + step.tookMs, 0)
  const snapshot = steps.find(({ step }) => step === 'snapshot')
  const none = { snapshotMs: 0, compressMs: 0, verifyMs: 0, spooled: true }
  const { snapshotMs, compressMs, verifyMs, spooled } = snapshot?.result ?? none
  if (spooled === false) throw new Error('there was no room to spool: taking and compressing were one')
  if (spooled === undefined || snapshotMs === undefined || compressMs === undefined || verifyMs === undefined)
    throw new Error('the report does not say how long taking, compressing and verifying took')
  return {
    startMs: begun - process.startedAt,
    moveLeaderMs: tookMs('moveLeader'),
    firstLookMs: first.from - begun,
    betweenMs: last.until - first.from - inSteps,
    endMs: process.endedAt - last.until,
    ...{ snapshotMs, compressMs, verifyMs },
    trimMs: tookMs('trim'),
  }
}

/** Endpoints are flags: etcdctl refuses to have them both ways. */
export const etcdctlEnvironment = ({ cluster }: Arena): NodeJS.ProcessEnv => ({
  ...process.env,
  ETCDCTL_API: '3',
  ...(cluster.client === undefined
    ? {}
    : {
        ETCDCTL_CACERT: cluster.client.ca,
        ETCDCTL_CERT: cluster.client.cert,
        ETCDCTL_KEY: cluster.client.key,
      }),
})

const etcdctlWith = (...flags: readonly string[]): Tool => ({
  name: ['etcdctl defrag --cluster', ...flags].join(' '),
  async work(arena, leader) {
    const program = programOf(arena.cluster.suite, 'etcdctl')
    const ended = await measured(
      program,
      ['defrag', '--cluster', ...flags, `--endpoints=${leader.clientUrl}`],
      etcdctlEnvironment(arena),
    )
    return { measured: ended, spans: nothing }
  },
})

/** Told to wait, as few are: then it goes from one member to the next only once the first has answered. */
export const patientEtcdctl = etcdctlWith('--command-timeout=10m')

export const PEER = 'ahrtr/etcd-defrag'

/** github.com/ahrtr/etcd-defrag, as its README starts it for a cluster whose leader is to be moved. */
const peerTool = (program: string): Tool => ({
  name: PEER,
  async work({ cluster }, leader) {
    const args = [...cluster.flags(leader), '--cluster', '--move-leader']
    return { measured: await measured(program, args), spans: nothing }
  },
})

/** This tool first, as every table has it. */
export const rivals = ({ program, peer }: Pick<Context, 'program' | 'peer'>): readonly Tool[] => [
  ourselves(program),
  ...(peer === undefined ? [] : [peerTool(peer)]),
  etcdctlWith(),
  shellScript,
]

const script = join(import.meta.dirname, '../../../test/bench/script.sh')

const shellScript: Tool = {
  name: 'shell script',
  async work(arena, leader) {
    const { cluster, scratch } = arena
    const disk = arena.disks[cluster.members.indexOf(leader)]?.mountPoint ?? ''
    const args = [
      script,
      programOf(cluster.suite, 'etcdctl'),
      leader.clientUrl,
      join(scratch, 'script.db.xz'),
      disk,
    ]
    const ended = await measured('bash', args, etcdctlEnvironment(arena))
    const phases = phasesOf(ended.stdout)
    return {
      measured: ended,
      spans: {
        ...nothing,
        snapshotMs: phases['snapshot'] ?? 0,
        compressMs: phases['compress'] ?? 0,
        trimMs: phases['trim'] ?? 0,
      },
    }
  },
}

/** What the script says as each phase begins, as the time that it took, ms. */
export function phasesOf(said: string): Readonly<Record<string, number>> {
  const marks = [...said.matchAll(/^([a-z]+) (\d+\.\d+)$/gm)].map(
    ([, phase = '', at]) => [phase, Number(at) * 1000] as const,
  )
  return Object.fromEntries(
    marks.slice(0, -1).map(([phase, at], i) => [phase, (marks[i + 1]?.[1] ?? at) - at]),
  )
}
