import { AssertionError } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabMember } from '../lab/cluster.js'
import { type Ended, type Running, start } from '../lab/command.js'
import { Witness } from '../lab/witness.js'
import type { Arena } from './arena.js'
import type { RunDraw } from './draw.js'
import { endText } from './endText.js'
import { longestGap } from './history.js'
import { inject, type Scene } from './inject.js'
import { judgeData } from './judge.js'
import { Load } from './load.js'
import { SmallDisk } from './smallDisk.js'

/** A run that takes longer than that hangs: every fault is over after some seconds. */
const LONGEST_RUN_MS = 90_000

export type Round = Readonly<{
  draw: RunDraw
  /** What became of each fault, in the draw's order. */
  faults: readonly string[]
  ended: readonly Ended[]
  /** Empty when all is well. */
  violations: readonly string[]
  tookMs: number
  longestGapMs: number
}>

/** One run under load and faults, then everything healed and judged. */
export async function play(arena: Arena, draw: RunDraw, stop: AbortSignal): Promise<Round> {
  const startedAt = performance.now()
  await arena.prepare(draw)
  const local = arena.voter(draw.local)
  const disk =
    draw.backupRoom === undefined ? undefined : await SmallDisk.create(arena.backups, draw.backupRoom)
  const prefix = `/chaos/${draw.run}/`
  const since = ((await arena.said(local))?.revision ?? 0n) + 1n
  const witness = await Witness.of(arena.cluster, { backupPath: arena.backup })
  const over = new AbortController()
  const runs: Running[] = []
  const startRun = (member: LabMember, host: 'same' | 'other') => {
    const common = [...arena.flags(member), ...draw.flags, '--no-trim', '--output', 'json']
    const forced = draw.flags.includes('--force-nonleader') ? [] : ['--force-nonleader']
    // Each host has its own backup, and one of them is enough to watch.
    if (host === 'same') runs.push(start([...common, '--backup-path', arena.backup]))
    else runs.push(arena.otherHost.start([...common, ...forced, '--no-backup']))
  }
  const violations: string[] = []
  const leave = () => {
    over.abort()
    for (const run of runs) run.kill('SIGKILL')
  }
  stop.addEventListener('abort', leave)
  let load: Load | undefined
  let faults: readonly string[] = []
  let gap = 0
  try {
    load = new Load(
      arena.voters.map(member => member.clientUrl),
      prefix,
    )
    if (!(await load.goesOn(4, 10_000))) throw new Error('no writes before the run')
    const from = performance.now()
    startRun(local, 'same')
    const scene: Scene = {
      arena,
      local,
      runs,
      startRun,
      out: (member, how) => witness.out(member, how),
      over: over.signal,
    }
    const injected = draw.faults.map(fault => inject(fault, scene).catch(error => `failed: ${error}`))
    for (let i = 0; i < runs.length; i++) violations.push(...(await bounded(runs[i] as Running)))
    over.abort()
    faults = await Promise.all(injected)
    for (let i = 0; i < runs.length; i++) violations.push(...(await bounded(runs[i] as Running)))
    stop.throwIfAborted()
    await arena.healed()
    if (!(await load.goesOn(20, 15_000))) violations.push('writes do not go on when everything is healed')
    gap = longestGap(load.acknowledged, from, performance.now())
    await load[Symbol.asyncDispose]()
    violations.push(...(await judgeData(arena, prefix, since, load)))
    const ended = await Promise.all(runs.map(run => run.ended))
    violations.push(
      ...ended.flatMap(judgeEnd),
      ...(await testimony(witness, ended, draw)),
      ...calmFailures(ended, draw),
    )
    return { draw, faults, ended, violations, tookMs: performance.now() - startedAt, longestGapMs: gap }
  } finally {
    stop.removeEventListener('abort', leave)
    leave()
    await load?.[Symbol.asyncDispose]()
    await witness[Symbol.asyncDispose]()
    await disk?.[Symbol.asyncDispose]()
    await arena.tidy() // after a run that was killed; the next one is judged for itself
  }
}

/** What the witness has against the runs, in sentences. */
async function testimony(
  witness: Witness,
  ended: readonly Ended[],
  { flags, faults }: RunDraw,
): Promise<readonly string[]> {
  // A run that is stopped, or far from a member, decides on what it saw before.
  const delays = faults.map(fault =>
    fault.kind === 'pauseRun' ? fault.forMs : 'delayMs' in fault ? 3 * fault.delayMs : 0,
  )
  const lookMs = delays.reduce((sum, ms) => sum + ms, 250)
  try {
    await witness.judge(ended, { forceUnhealthy: flags.includes('--force-unhealthy'), lookMs })
    return []
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error
    const found = [...error.message.matchAll(/^- (.*)$/gm)].map(([, violation]) => String(violation))
    // What a killed run had in etcd goes by itself, with the time of its lease.
    const isKilled = ended.some(({ signal }) => signal === 'SIGKILL')
    return found.filter(violation => !(isKilled && /^the (?:key|lease) \S+ is left$/.test(violation)))
  }
}

async function bounded(run: Running): Promise<readonly string[]> {
  const late = new AbortController()
  const isLate = await Promise.race([
    run.ended.then(() => false),
    sleep(LONGEST_RUN_MS, true, { signal: late.signal }).catch(() => false),
  ])
  late.abort()
  if (!isLate) return []
  run.kill('SIGKILL')
  return [`the run did not end within ${LONGEST_RUN_MS / 1000} s`]
}

/** Where nothing stands in its way, a run completes. */
function calmFailures(ended: readonly Ended[], draw: RunDraw): readonly string[] {
  const { faults, flags, leader, local, backupRoom } = draw
  const isCalm = faults.length === 0 && leader === local && backupRoom === undefined
  if (!isCalm || flags.includes('--defrag-timeout')) return []
  return ended
    .filter(({ stdout }) => !stdout.includes('"verdict": "completed"'))
    .map(end => `without any fault it ended with ${endText(end)}`)
}

/** Exit code and report agree, and neither speaks of a bug. */
function judgeEnd({ code, signal, stdout, stderr }: Ended): readonly string[] {
  if (signal === 'SIGKILL') return []
  if (signal !== null && stderr === '') return [] // before a line of ours was read
  if (signal !== null) return [`the run was ended by ${signal}, which it is to handle`]
  try {
    const { exitCode } = JSON.parse(stdout) as { exitCode: number }
    if (exitCode !== code) return [`exit code ${code}, and the report says ${exitCode}`]
  } catch {
    return [`exit code ${code} without a report: ${stdout}${stderr.slice(-500)}`]
  }
  return code === 70 ? [`exit code 70, a bug: ${stdout.slice(0, 1000)}`] : []
}
