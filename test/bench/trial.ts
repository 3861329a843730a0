import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type EndpointStatus, type LabMember, until } from '../lab/cluster.js'
import { type Defragmentation, defragmentationsOf, type Incident, incidentsOf } from '../lab/timeline.js'
import { Arena, type Setting } from './arena.js'
import {
  failuresOf,
  longestGap,
  longestOutside,
  longestSilence,
  mostAtOnce,
  type Operation,
  type Span,
  unionOf,
} from './gaps.js'
import { type Done, FAILS_OVER } from './load.js'
import { Load } from './loaded.js'
import { now, setNow } from './measured.js'
import type { Spans, Tool, Work } from './tools.js'

/** What one tool did to one cluster, as etcd and its clients saw it; spans in ms. */
export type Trial = Readonly<{
  tool: string
  exitCode: number | null
  wallMs: number
  /** From the tool's start to the end of the last defragmentation. */
  untilLastMs: number
  /** In which at least one member was being defragmented. */
  defragmentingMs: number
  spans: Spans
  peakMemory: number
  cpuMs: number
  members: readonly Readonly<{
    name: string
    defragmentMs: number
    count: number
    before: number
    /** Of that. */
    inUse: number
    after: number
    /** Undefined without load. */
    gapMs: number | undefined
    /** The longest time without a write through it while it was not being defragmented; undefined without load. */
    beyondMs: number | undefined
  }>[]
  mostOut: number
  leaderChanges: number
  clients: Clients | undefined
}>

/** How many members' files are smaller than before. */
export const smaller = ({ members }: Trial): number =>
  members.filter(({ before, after }) => after < before).length

/** Throws where a run of ours left anything of the work out: less work takes less time. */
export function expectWhole(trial: Trial): void {
  const { exitCode, members } = trial
  if (exitCode !== 0 || smaller(trial) < members.length)
    throw new Error(
      `a run ended with ${exitCode}, and ${smaller(trial)} of ${members.length} files are smaller`,
    )
}

/** Every exit code there was. */
export const exits = (trials: readonly Trial[]): string =>
  [...new Set(trials.map(({ exitCode }) => (exitCode === null ? '-' : String(exitCode))))].join(', ')

type Clients = Readonly<{
  gapMs: number
  /** The same until the last member was defragmented, and from then on; undefined where none was. */
  gapUntilLastMs: number | undefined
  gapAfterMs: number | undefined
  /** What was going on at the members in the longest of all; a change of leader counts for more than a defragmentation. */
  gapDuring: 'a change of leader' | 'a defragmentation' | 'the rest'
  failoverGapMs: number
  sent: number
  failed: number
  failoverFailed: number
  /** Of those due between the first defragmentation’s start and the last one’s end; undefined where none was. */
  failedShare: number | undefined
  generatorLatestMs: number
}>

type Conditions = Readonly<{
  /** With clients that use the cluster, so long before the tool and after it too; without any otherwise. */
  besideMs?: number
  outlasting?: boolean
}>

/** Members tell the time by the clock, spans are measured without it: more than that between the two spoils both. */
const CLOCK_MS = 10

/** One tool on a fresh cluster. */
export async function trialOf(
  tool: Tool,
  setting: Setting,
  { besideMs, outlasting = false }: Conditions = {},
): Promise<Trial> {
  await using arena = await Arena.of(setting)
  const { cluster } = arena
  const leader = await cluster.leader()
  const sizes = await sizesOf(cluster)
  setNow()
  const begunAt = now()
  await using load = besideMs === undefined ? undefined : Load.on(cluster)
  await sleep(besideMs ?? 0)
  const work = await tool.work(arena, leader, outlasting)
  await until('no member is being defragmented any more', async () => {
    const inflight = cluster.members.map(member => cluster.metric(member, 'etcd_disk_defrag_inflight'))
    return (await Promise.all(inflight)).every(count => count === 0)
  })
  const quietAt = now()
  await sleep(besideMs ?? 0)
  const done = await load?.end()
  const after = await sizesOf(cluster)
  const incidents = (await incidentsIn(cluster)).filter(({ at }) => at >= begunAt)
  const setBy = Math.abs(Date.now() - now())
  if (setBy > CLOCK_MS) throw new Error(`the clock was set by ${Math.round(setBy)} ms in mid-trial`)
  const whole = {
    from: work.measured.startedAt,
    until: Math.max(work.measured.endedAt, quietAt) + (besideMs ?? 0) / 2,
  }
  return told({ tool, cluster, work, done, incidents, whole, before: sizes, after })
}

type Seen = Readonly<{
  tool: Tool
  cluster: Cluster
  work: Work
  done: Done | undefined
  incidents: readonly Incident[]
  /** From the tool's start until a while after all of it was over. */
  whole: Span
  before: Sizes
  after: Sizes
}>

function told({ tool, cluster, work, done, incidents, whole, before, after }: Seen): Trial {
  const { startedAt, endedAt, code, peakMemory, cpuMs } = work.measured
  const defragmentations = defragmentationsOf(incidents, [])
  const own = (member: LabMember) => defragmentations.filter(d => d.member === member.name)
  return {
    tool: tool.name,
    exitCode: code,
    wallMs: endedAt - startedAt,
    untilLastMs: Math.max(startedAt, ...defragmentations.map(d => d.until)) - startedAt,
    defragmentingMs: unionOf(defragmentations),
    spans: work.spans,
    peakMemory,
    cpuMs,
    members: cluster.members.map(member => ({
      name: member.name,
      defragmentMs: own(member).reduce((sum, d) => sum + d.until - d.from, 0),
      count: own(member).length,
      before: before.get(member.name)?.dbSize ?? 0,
      inUse: before.get(member.name)?.dbSizeInUse ?? 0,
      after: after.get(member.name)?.dbSize ?? 0,
      gapMs: done && longestGap(writesAt(done, member.name), whole),
      beyondMs: done && longestOutside(writesAt(done, member.name), whole, own(member)),
    })),
    mostOut: mostAtOnce(defragmentations),
    leaderChanges: incidents.filter(({ what }) => what === 'leads').length,
    clients: done && clientsOf(done, whole, incidents, defragmentations),
  }
}

const writesAt = ({ operations }: Done, client: string): readonly Operation[] =>
  operations.filter(operation => operation.kind === 'write' && operation.client === client)

function clientsOf(
  done: Done,
  whole: Span,
  incidents: readonly Incident[],
  defragmentations: readonly Defragmentation[],
): Clients {
  const { operations, latestMs } = done
  const bound = operations.filter(({ client }) => client !== FAILS_OVER)
  const failover = operations.filter(({ client }) => client === FAILS_OVER)
  const writes = bound.filter(({ kind }) => kind === 'write')
  const meanwhile = {
    from: Math.min(...defragmentations.map(({ from }) => from)),
    until: Math.max(...defragmentations.map(({ until }) => until)),
  }
  const worst = failuresOf(bound, meanwhile)
  const gap = longestSilence(writes, whole)
  const isChange = incidents.some(({ what, at }) => what === 'leads' && at >= gap.from && at <= gap.until)
  const isDefragmenting = defragmentations.some(({ from, until }) => from < gap.until && until > gap.from)
  const all = failuresOf(bound, whole)
  const isAny = defragmentations.length > 0
  return {
    gapMs: gap.until - gap.from,
    gapUntilLastMs: isAny ? longestGap(writes, { from: whole.from, until: meanwhile.until }) : undefined,
    gapAfterMs: isAny ? longestGap(writes, { from: meanwhile.until, until: whole.until }) : undefined,
    gapDuring: isChange ? 'a change of leader' : isDefragmenting ? 'a defragmentation' : 'the rest',
    failoverGapMs: longestGap(failover, whole),
    ...all,
    failoverFailed: failuresOf(failover, whole).failed,
    failedShare: worst.sent === 0 ? undefined : worst.failed / worst.sent,
    generatorLatestMs: latestMs,
  }
}

async function incidentsIn(cluster: Cluster): Promise<readonly Incident[]> {
  const logs = cluster.members.map(async ({ name, log }) => incidentsOf(name, await readFile(log, 'utf8')))
  return (await Promise.all(logs)).flat().toSorted((a, b) => a.at - b.at)
}

type Sizes = ReadonlyMap<string, EndpointStatus['Status'] | undefined>

async function sizesOf(cluster: Cluster): Promise<Sizes> {
  const statuses = await cluster.status()
  return new Map(
    cluster.members.map(({ name, clientUrl }) => [
      name,
      statuses.find(({ Endpoint }) => Endpoint === clientUrl)?.Status,
    ]),
  )
}
