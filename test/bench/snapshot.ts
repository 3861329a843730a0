import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TRAILER } from '../../src/backup/trailer.js'
import { type LabMember, programOf } from '../lab/cluster.js'
import { jsonLine } from '../lab/timeline.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { cpuOf, type Measured, measured, now, setNow } from './measured.js'
import { type Context, GIB, type Part, sizeName } from './part.js'
import { bytes, type Cell, figure, ms } from './report.js'
import { settle } from './settle.js'
import { inTurn, pointOf, ratiosOf } from './statistics.js'
import { env, etcdctlEnvironment } from './tools.js'

type Taken = Readonly<{
  tool: string
  bytes: number
  /** By etcd's own log: from its first byte to its last. */
  openMs: number
  /** From the start of the process until the snapshot was a file. */
  untilFileMs: number
  ownCpuMs: number
  etcdCpuMs: number
}>

type Ended = Readonly<{
  startedAt: string
  tookMs: number
  result: { compressMs: number; verifyMs: number }
}>

type Taker = Readonly<{
  name: string
  /** `bytes`: those of the database, where the tool says so. */
  take(
    arena: Arena,
    member: LabMember,
    file: string,
  ): Promise<Readonly<{ ended: Measured; fileAt: number; bytes?: number }>>
}>

const takers = ({ program: [program, ...first] }: Context): readonly [Taker, Taker, Taker] => [
  {
    name: 'etcd-defrag backup create',
    async take({ cluster }, member, file) {
      const flags = [...cluster.flags(member), '--backup-path', file, '--output', 'json', '--force-single']
      const ended = await measured(program, [...first, 'backup', 'create', ...flags], env())
      if (ended.code !== 0) throw new Error(ended.stderr)
      const { steps } = JSON.parse(ended.stdout) as { steps: Ended[] }
      const [step] = steps
      if (step === undefined) throw new Error(`no snapshot: ${ended.stderr}`)
      // The step has no time of its own for the snapshot's end: what puts the archive in place counts as taking it.
      const { compressMs, verifyMs } = step.result
      const fileAt = Date.parse(step.startedAt) + step.tookMs - compressMs - verifyMs
      return { ended, fileAt }
    },
  },
  {
    name: 'etcdctl snapshot save',
    async take(arena, member, file) {
      const args = [`--endpoints=${member.clientUrl}`, 'snapshot', 'save', file]
      const ended = await measured(programOf(arena.cluster.suite, 'etcdctl'), args, etcdctlEnvironment(arena))
      if (ended.code !== 0) throw new Error(ended.stderr)
      return { ended, fileAt: ended.endedAt }
    },
  },
  {
    name: 'the stream alone',
    async take({ cluster: { client } }, member) {
      const tls = client === undefined ? [] : [client.ca, client.cert, client.key]
      const ended = await measured(
        program,
        [...first.slice(0, -1), streamAlone, member.clientUrl, ...tls],
        env(),
      )
      if (ended.code !== 0) throw new Error(ended.stderr)
      return { ended, fileAt: ended.endedAt, bytes: Number(ended.stdout) - TRAILER }
    },
  },
]

const streamAlone = join(import.meta.dirname, 'streamAlone.js')

export const snapshot: Part = {
  title: 'The snapshot',
  about:
    'One member with mutual TLS and no load; the tools one after the other, each time from the same database. `open`: from `sending database snapshot to client` to `successfully sent` in the member’s log. Ours includes the running SHA-256, the walk through the database and the spool on disk; CPU is that of the process until the snapshot is a file, start-up included, and what etcd used in the meantime. `the stream alone` takes etcd’s blobs over the same gRPC with the same settings and lets go of them.',
  async measure(context) {
    const { suite, size, seed, repeat, isQuick, say } = context
    const database = await databaseOf({ suite, bytes: size, seed }, say)
    const tools = takers(context)
    await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: size })
    const all: Taken[] = []
    const rounds = isQuick ? repeat : repeat * 3
    for (let n = 0; n < rounds; n++)
      for (const taker of inTurn(tools, n)) {
        const taken = await takenBy(taker, arena)
        all.push(taken)
        say(`${taken.tool}, ${n + 1} of ${rounds}: open for ${taken.openMs} ms`)
      }
    const of = (index: 0 | 1 | 2) => all.filter(({ tool }) => tool === tools[index].name)
    const [ours, theirs, alone] = [of(0), of(1), of(2)]
    return {
      tables: [
        {
          title: `A snapshot of ${sizeName(size)}: medians (and ranges)`,
          columns,
          rows: [
            rowOf(ours),
            rowOf(theirs),
            rowOf(alone),
            ratioRow('ours by theirs, in pairs', ours, theirs),
            ratioRow('the stream alone by theirs, in pairs', alone, theirs),
          ],
        },
      ],
      plots: [
        {
          name: 'snapshot',
          title: 'A snapshot: time open and CPU, per GiB',
          x: { label: '', scale: 'linear', names: ['call open', 'CPU of the client', 'CPU of etcd'] },
          y: { label: 'ms per GiB', scale: 'linear' },
          series: [ours, theirs, alone].map((taken, i) => ({
            name: tools[i]?.name ?? '',
            isLine: false,
            points: perGib.map((per, x) => pointOf(x, taken.map(per))),
          })),
        },
      ],
      parameters: { size, repeat: rounds, seed },
      notes: ['etcdctl writes and syncs a file; ours is not synced until it is compressed and verified.'],
      trials: all,
    }
  },
}

const columns = [
  'tool',
  'open',
  'open, per GiB',
  'until it is a file',
  'CPU per GiB',
  'CPU of etcd per GiB',
  'snapshot',
]

const perGib = [
  ({ openMs, bytes }: Taken) => (openMs / bytes) * GIB,
  ({ ownCpuMs, bytes }: Taken) => (ownCpuMs / bytes) * GIB,
  ({ etcdCpuMs, bytes }: Taken) => (etcdCpuMs / bytes) * GIB,
] as const

const measures: readonly ((taken: Taken) => number)[] = [
  ({ openMs }) => openMs,
  perGib[0],
  ({ untilFileMs }) => untilFileMs,
  perGib[1],
  perGib[2],
]

const rowOf = (taken: readonly Taken[]): Cell[] => [
  taken[0]?.tool ?? '',
  ...measures.map(of => ms(taken.map(of))),
  bytes(taken.map(each => each.bytes)),
]

const ratioRow = (name: string, ours: readonly Taken[], theirs: readonly Taken[]): Cell[] => [
  name,
  ...measures.map(of => figure('ratio', ratiosOf(ours.map(of), theirs.map(of)))),
  '',
]

async function takenBy(taker: Taker, arena: Arena): Promise<Taken> {
  const [member] = arena.cluster.members
  const pid = member?.process?.pid
  if (member === undefined || pid === undefined) throw new Error('no member')
  const file = join(arena.scratch, 'taken')
  await settle()
  setNow()
  const before = (await cpuOf(pid)) ?? 0
  const watch = new CpuWatch(pid)
  const { ended, fileAt, bytes: taken } = await taker.take(arena, member, file)
  const course = await watch.end()
  await rm(file, { force: true })
  const { openMs, total } = await lastSent(member)
  if ((taken ?? total) !== total) throw new Error(`${taker.name} took ${taken} bytes of ${total}`)
  const own = ended.course.find(({ at }) => at >= fileAt)?.cpuMs ?? ended.cpuMs
  const etcd = course.find(({ at }) => at >= fileAt)?.cpuMs ?? course.at(-1)?.cpuMs ?? before
  return {
    tool: taker.name,
    bytes: total,
    openMs,
    untilFileMs: fileAt - ended.startedAt,
    ownCpuMs: own,
    etcdCpuMs: etcd - before,
  }
}

type Moment = Readonly<{ at: number; cpuMs: number }>

/** What a process uses of the cores, look by look, until it is ended. */
class CpuWatch {
  readonly #course: Moment[] = []
  readonly #watching: Promise<void>
  #isOver = false

  constructor(pid: number) {
    this.#watching = (async () => {
      for (let isLast = false; !isLast; ) {
        isLast = this.#isOver
        const at = now()
        this.#course.push({ at, cpuMs: (await cpuOf(pid)) ?? 0 })
        await sleep(20)
      }
    })()
  }

  async end(): Promise<readonly Moment[]> {
    this.#isOver = true
    await this.#watching
    return this.#course
  }
}

/** The last snapshot that the member sent, by its log (etcd: server/etcdserver/api/v3rpc/maintenance.go, `Snapshot`). */
async function lastSent({ log }: LabMember): Promise<Readonly<{ openMs: number; total: number }>> {
  const lines = (await readFile(log, 'utf8')).split('\n').map(jsonLine)
  const begun = lines.findLast(({ msg }) => msg === 'sending database snapshot to client')
  const ended = lines.findLast(({ msg }) => msg === 'successfully sent database snapshot to client')
  const openMs = Date.parse(String(ended?.['ts'])) - Date.parse(String(begun?.['ts']))
  if (!(openMs >= 0)) throw new Error('the member says of no snapshot that it was sent')
  return { openMs, total: Number(begun?.['total-bytes']) }
}
