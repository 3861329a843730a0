import { setTimeout as sleep } from 'node:timers/promises'
import { ENCODING } from '../../src/backup/xz.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { longestGap } from './gaps.js'
import { Load } from './loaded.js'
import { now } from './measured.js'
import { type Context, MIB } from './part.js'
import { inTurn } from './statistics.js'
import { compressed } from './sweep.js'

export type UnderLoad = Readonly<{
  /** Undefined: nothing was compressed. */
  nice: number | undefined
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
  const all: UnderLoad[] = []
  const { preset, threads, blockSize } = ENCODING
  const ways = isQuick ? [10] : [undefined, 0, 10, 19]
  await using arena = await Arena.of({ suite, members: 3, database, databaseBytes: size })
  let lastMs = 3000 // until something was compressed
  for (let n = 0; n < repeat; n++)
    for (const nice of inTurn(ways, n)) {
      const load = Load.on(arena.cluster)
      await sleep(1000) // its connections are made
      const from = now()
      if (nice === undefined) await sleep(lastMs)
      else
        await compressed(
          file,
          { by: 'bundled', preset, threads, blockBytes: blockSize },
          { nice, env: packaged?.env },
        )
      const until = now()
      lastMs = until - from // the longest gap of a longer time is longer
      const { operations } = await load.end()
      const writes = operations.filter(
        ({ kind, dueAt }) => kind === 'write' && dueAt >= from && dueAt < until,
      )
      const took = writes.map(({ dueAt, endedAt }) => endedAt - dueAt).toSorted((a, b) => a - b)
      all.push({
        nice,
        wallMs: until - from,
        medianMs: took[Math.floor(took.length / 2)] ?? 0,
        worstMs: took[Math.floor(took.length * 0.99)] ?? 0,
        gapMs: longestGap(writes, { from, until }),
      })
      say(`under load, nice ${nice ?? '-'}, ${n + 1} of ${repeat}`)
    }
  return ways.flatMap(nice => all.filter(one => one.nice === nice))
}
