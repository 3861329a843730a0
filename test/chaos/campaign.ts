import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Arena } from './arena.js'
import { draw, RUNS_PER_CLUSTER, type RunDraw } from './draw.js'
import { lineOf } from './print.js'
import { play, type Round } from './round.js'

export type Campaign = Readonly<{
  /** What to run; neighbours with the same cluster share it. */
  draws: readonly RunDraw[]
  /** Clusters at the same time. */
  jobs: number
  stop: AbortSignal
  /** Where the logs of a run that violated something go. */
  evidence: string | undefined
  tell(round: Round): void
}>

export const drawsOf = (seed: number, first: number, runs: number): readonly RunDraw[] =>
  Array.from({ length: runs }, (_, i) => draw(seed, first + i))

/** Plays all runs; what fails in between counts as a violation of that run. */
export async function wage({ draws, jobs, stop, evidence, tell }: Campaign): Promise<readonly Round[]> {
  const groups = [...grouped(draws)]
  const rounds: Round[] = []
  const work = async () => {
    for (let group = groups.shift(); group !== undefined && !stop.aborted; group = groups.shift()) {
      let arena: Arena | undefined
      try {
        for (const one of group) {
          if (stop.aborted) break
          let round: Round
          try {
            arena ??= await Arena.create(one.cluster)
            round = await play(arena, one, stop)
          } catch (error) {
            if (stop.aborted) break
            round = failed(one, error)
          }
          if (round.violations.length > 0 && evidence !== undefined && arena !== undefined)
            await keep(arena, round, evidence)
          rounds.push(round)
          tell(round)
          if (!arena?.isSpent && round.violations.length === 0) continue
          await arena?.[Symbol.asyncDispose]()
          arena = undefined
        }
      } finally {
        await arena?.[Symbol.asyncDispose]()
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return rounds
}

function* grouped(draws: readonly RunDraw[]): Generator<RunDraw[]> {
  let group: RunDraw[] = []
  for (const one of draws) {
    const [before] = group
    const isSame =
      before?.seed === one.seed &&
      Math.floor(before.run / RUNS_PER_CLUSTER) === Math.floor(one.run / RUNS_PER_CLUSTER)
    if (!isSame && group.length > 0) {
      yield group
      group = []
    }
    group.push(one)
  }
  if (group.length > 0) yield group
}

const failed = (one: RunDraw, error: unknown): Round => ({
  draw: one,
  faults: [],
  ended: [],
  violations: [`the run could not be judged: ${error instanceof Error ? error.stack : error}`],
  tookMs: 0,
  longestGapMs: 0,
})

async function keep(arena: Arena, round: Round, evidence: string): Promise<void> {
  const folder = join(evidence, `seed-${round.draw.seed}-run-${round.draw.run}`)
  await mkdir(folder, { recursive: true })
  for (const { log } of new Set([...arena.voters, ...arena.cluster.members]))
    await copyFile(log, join(folder, basename(log)))
  for (const [i, { stdout, stderr }] of round.ended.entries()) {
    await writeFile(join(folder, `run-${i + 1}.json`), stdout)
    await writeFile(join(folder, `run-${i + 1}.log`), stderr)
  }
  await writeFile(join(folder, 'round.txt'), `${lineOf(round)}\n`)
}
