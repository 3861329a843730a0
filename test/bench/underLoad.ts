import { setTimeout as sleep } from 'node:timers/promises'
import { encoding } from '../../src/backup/xz.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { longestGap } from './gaps.js'
import { FAILS_OVER } from './load.js'
import { Load } from './loaded.js'
import { now, setNow } from './measured.js'
import { type Context, MIB } from './part.js'
import { inTurn } from './statistics.js'
import { compressed } from './sweep.js'

/** How compressing is scheduled: so nice a process in a session of its own, an idle one, a nice session (sched(7)). */
const schedules = {
  'nice 0': [],
  'nice 10': ['nice', '-n', '10'],
  'nice 19': ['nice', '-n', '19'],
  SCHED_IDLE: ['chrt', '--idle', '0'],
  'session nice 10': ['sh', '-c', 'echo 10 > /proc/self/autogroup && exec "$@"', 'sh'],
} as const satisfies Record<string, readonly string[]>
type Schedule = keyof typeof schedules
export type Way = Schedule | 'no compression'

export type UnderLoad = Readonly<{
  way: Way
  wallMs: number
  medianMs: number
  /** That of 99 in 100 writes is below. */
  worstMs: number
  gapMs: number
}>

/** What compressing alone, with the defaults, does to the clients of members on the same machine. */
export async function underLoad(file: string, context: Context): Promise<readonly UnderLoad[]> {
  const { suite, seed, repeat, isQuick, packaged, say } = context
  const size = 16 * MIB
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  const found: UnderLoad[] = []
  const { preset, threads, blockSize } = encoding()
  const ways: readonly Way[] = isQuick
    ? ['session nice 10']
    : [...(Object.keys(schedules) as Schedule[]), 'no compression']
  await using arena = await Arena.of({ suite, members: 3, database, databaseBytes: size })
  let plainMs = 0 // in the first turn it is that way's first
  for (let n = 0; n < repeat; n++)
    for (const way of inTurn(ways, n)) {
      setNow()
      const load = Load.on(arena.cluster)
      await sleep(1000) // its connections are made
      const from = now()
      if (way === 'no compression') await sleep(plainMs)
      else
        await compressed(
          file,
          { by: 'bundled', preset, threads, blockBytes: blockSize },
          { as: schedules[way], env: packaged?.env },
        )
      const until = now()
      if (way === 'nice 0') plainMs = until - from // the longest gap of a longer time is longer
      const { operations } = await load.end()
      const writes = operations.filter(
        ({ client, kind, dueAt }) =>
          client !== FAILS_OVER && kind === 'write' && dueAt >= from && dueAt < until,
      )
      const took = writes.map(({ dueAt, endedAt }) => endedAt - dueAt).toSorted((a, b) => a - b)
      found.push({
        way,
        wallMs: until - from,
        medianMs: took[Math.floor(took.length / 2)] ?? 0,
        worstMs: took[Math.floor(took.length * 0.99)] ?? 0,
        gapMs: longestGap(writes, { from, until }),
      })
      say(`under load, ${way}, ${n + 1} of ${repeat}`)
    }
  return ways.flatMap(way => found.filter(one => one.way === way))
}
