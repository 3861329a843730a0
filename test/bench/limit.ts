import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { programOf } from '../lab/cluster.js'
import { defragmentationsOf, incidentsOf } from '../lab/timeline.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { measured } from './measured.js'
import { noMemoryDisk, SPEED } from './memoryDisk.js'
import { type Context, type Part, sizeName } from './part.js'
import { bytes, type Cell, figure, ms } from './report.js'
import { pointOf, ratiosOf } from './statistics.js'
import { etcdctlEnvironment } from './tools.js'

type Beside = Readonly<{ defragmentMs: number; copyMs: number; bytes: number }>
const speeds = [SPEED.normal, SPEED.slow]

/** How much of a defragmentation is the disk's. */
export const limit: Part = {
  title: 'A defragmentation beside a plain copy',
  about:
    'A member’s defragmentation, by its own log, beside `dd bs=1M conv=fsync` of the database that came of it, on the same disk under the same limit. The rest is etcd’s: it reads every key, builds the tree anew and commits it after every 10,000 of them (server/mvcc/backend, `defragdb`).',
  refused: noMemoryDisk,
  async measure(context) {
    const rows: { speed: number; all: Beside[] }[] = []
    for (const speed of context.isQuick ? speeds.slice(0, 1) : speeds) {
      const all: Beside[] = []
      for (let n = 0; n < context.repeat; n++) {
        const one = await beside(speed, context)
        all.push(one)
        context.say(
          `${speed / 1e6} MB/s, ${n + 1} of ${context.repeat}: ${one.defragmentMs} ms by ${Math.round(one.copyMs)} ms`,
        )
      }
      rows.push({ speed, all })
    }
    const of = (get: (one: Beside) => number) => rows.map(({ all }) => all.map(get))
    const [defragmentation, copy] = [of(({ defragmentMs }) => defragmentMs), of(({ copyMs }) => copyMs)]
    const names = rows.map(({ speed }) => `${speed / 1e6} MB/s`)
    return {
      tables: [
        {
          title: `A database of ${sizeName(context.size)}: medians (and ranges)`,
          columns: ['disk', 'defragmentation', 'copy', 'defragmentation by copy', 'file afterwards'],
          rows: rows.map(({ all }, i): Cell[] => [
            names[i] ?? '',
            ms(defragmentation[i] ?? []),
            ms(copy[i] ?? []),
            figure('ratio', ratiosOf(defragmentation[i] ?? [], copy[i] ?? [])),
            bytes(all.map(one => one.bytes)),
          ]),
        },
      ],
      plots: [
        {
          name: 'limit',
          title: 'A defragmentation beside a copy of the same pages',
          x: { label: 'disk', scale: 'linear', names },
          y: { label: 'ms', scale: 'log' },
          series: [defragmentation, copy].map((values, i) => ({
            name: i === 0 ? 'defragmentation' : 'copy',
            isLine: false,
            points: values.map((all, x) => pointOf(x, all)),
          })),
        },
      ],
      notes: [],
      trials: rows,
    }
  },
}

async function beside(bytesPerSecond: number, { suite, size, seed, say }: Context): Promise<Beside> {
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: size, bytesPerSecond })
  const [member] = arena.cluster.members
  const [disk] = arena.disks
  if (member === undefined || disk === undefined) throw new Error('no member')
  const args = [`--endpoints=${member.clientUrl}`, '--command-timeout=1h', 'defrag']
  const defragmented = await measured(programOf(suite, 'etcdctl'), args, etcdctlEnvironment(arena))
  if (defragmented.code !== 0) throw new Error(defragmented.stderr)
  const [work] = defragmentationsOf(incidentsOf(member.name, await readFile(member.log, 'utf8')), [])
  if (work?.end !== 'finished') throw new Error('the member tells of no defragmentation')
  const [from, to] = [join(member.dataDir, 'member/snap/db'), join(disk.mountPoint, 'copy')]
  const [program = '', ...through] = disk.through
  const copied = await measured(program, [...through, 'dd', `if=${from}`, `of=${to}`, 'bs=1M', 'conv=fsync'])
  const written = /^(\d+) bytes/m.exec(copied.stderr)?.[1]
  if (copied.code !== 0 || written === undefined) throw new Error(copied.stderr)
  return {
    defragmentMs: work.until - work.from,
    copyMs: copied.endedAt - copied.startedAt,
    bytes: Number(written),
  }
}
