import type { Suite } from '../lab/cluster.js'
import { mulberry32 } from '../lab/random.js'

/** Consecutive runs that share a cluster, healed and checked in between: starting one takes as long as a run. */
export const RUNS_PER_CLUSTER = 5

/** A member by its part at the instant of the fault. `busy`: the one that our run's latest step is about. */
export type Target = Readonly<
  { role: 'leader' | 'local' | 'busy' } | { role: 'follower'; nth: number } | { role: 'any'; nth: number }
>

/** `step` 0 is the start of our process; the others count the steps it says it has started. */
export type Instant = Readonly<{ step: number; ms: number }>

export type Fault = Readonly<
  | { kind: 'freeze'; target: Target; forMs: number }
  | { kind: 'kill'; target: Target; forMs: number }
  | { kind: 'moveLeader'; to: Target }
  | { kind: 'pullBack'; times: number; everyMs: number }
  | { kind: 'addLearner'; promote: boolean }
  | { kind: 'addMember' }
  | { kind: 'removeMember'; target: Target }
  | { kind: 'signal'; signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' }
  | { kind: 'killAndRunAgain' }
  | { kind: 'pauseRun'; forMs: number }
  | { kind: 'secondRun'; from: Target; otherHost: boolean }
  | { kind: 'network'; target: Target; how: 'delay' | 'silence' | 'cut'; delayMs: number; forMs: number }
>
export type FaultKind = Fault['kind']
export type DueFault = Fault & Readonly<{ at: Instant }>

export type ClusterDraw = Readonly<{ suite: Suite; size: 3 | 5; learner: boolean }>

export type RunDraw = Readonly<{
  seed: number
  run: number
  cluster: ClusterDraw
  megabytes: number
  /** Positions among the voters. */
  leader: number
  local: number
  flags: readonly string[]
  /** Room for a new backup beside the last good one; undefined: as much as there is. */
  backupRoom: number | undefined // bytes
  faults: readonly DueFault[]
}>

/** Whether a second run may come from another host, which only the lock in etcd keeps apart from the first. */
export const BETWEEN_HOSTS: boolean = true

/** Everything that run number `run` of that seed does, as far as it can be said beforehand. */
export function draw(seed: number, run: number): RunDraw {
  const cluster = drawCluster(new Chance(seed, -1 - Math.floor(run / RUNS_PER_CLUSTER)))
  const chance = new Chance(seed, run)
  const leader = chance.below(cluster.size)
  const isLocal = chance.is(0.85)
  const local = isLocal ? leader : chance.below(cluster.size)
  const flags = [
    ...(isLocal && chance.is(0.85) ? [] : ['--force-nonleader']),
    ...(chance.is(0.35) ? ['--force-unhealthy'] : []),
    ...['--dial-timeout', `${chance.among([300, 1000])}ms`],
    ...['--command-timeout', `${chance.among([300, 700, 1500])}ms`],
    ...['--settle-timeout', `${chance.among([1000, 2000, 5000])}ms`],
    ...(chance.is(0.2) ? ['--defrag-timeout', `${chance.among([20, 100, 500])}ms`] : []),
  ]
  const faults: DueFault[] = []
  for (let count = chance.is(0.05) ? 0 : 1 + chance.below(3); count > 0; count--) {
    const fault = drawFault(chance, cluster)
    // Faults that come together find more than faults far apart.
    const { at } = chance.is(0.4) ? (faults.at(-1) ?? fault) : fault
    faults.push({ ...fault, at: { step: at.step, ms: fault.at.ms } })
  }
  const backupRoom = chance.is(0.1) ? chance.among([0, 8, 32, 512, 20_000]) * 1024 : undefined
  // Else the run is refused for it, and no disk is ever full in the middle of a backup.
  if (backupRoom !== undefined && chance.is(0.7)) flags.push('--force-disk')
  return {
    seed,
    run,
    cluster,
    megabytes: 10 + chance.below(21),
    leader,
    local,
    flags,
    backupRoom,
    faults: inAccord(faults),
  }
}

const drawCluster = (chance: Chance): ClusterDraw => ({
  suite: chance.among(['bookworm', 'trixie', 'forky']),
  size: chance.is(0.75) ? 3 : 5,
  learner: chance.is(0.2),
})

/** Our process ends once, and the members change once: a second such fault in a run says nothing more. */
function inAccord(faults: readonly DueFault[]): readonly DueFault[] {
  const groups = [
    ['signal', 'killAndRunAgain'],
    ['addLearner', 'addMember', 'removeMember'],
  ]
  return faults.filter(
    (fault, i) =>
      !groups.some(
        group => group.includes(fault.kind) && faults.slice(0, i).some(before => group.includes(before.kind)),
      ),
  )
}

const weights: Readonly<Record<FaultKind, number>> = {
  freeze: 4,
  kill: 4,
  moveLeader: 3,
  pullBack: 2,
  network: 4,
  signal: 3,
  killAndRunAgain: 2,
  pauseRun: 2,
  secondRun: 2,
  addLearner: 1,
  addMember: 1,
  removeMember: 1,
}

function drawFault(chance: Chance, cluster: ClusterDraw): DueFault {
  const kinds = Object.entries(weights).flatMap(([kind, weight]) =>
    Array<FaultKind>(weight).fill(kind as FaultKind),
  )
  return { ...details[chance.among(kinds)](chance, cluster), at: drawInstant(chance, cluster) }
}

const span = (chance: Chance): number => chance.among([50, 200, 500, 1000, 2000, 3000]) + chance.below(100)

const details: {
  readonly [K in FaultKind]: (chance: Chance, cluster: ClusterDraw) => Extract<Fault, { kind: K }>
} = {
  freeze: (chance, cluster) => ({ kind: 'freeze', target: drawTarget(chance, cluster), forMs: span(chance) }),
  kill: (chance, cluster) => ({ kind: 'kill', target: drawTarget(chance, cluster), forMs: span(chance) }),
  moveLeader: (chance, cluster) => ({ kind: 'moveLeader', to: drawTarget(chance, cluster) }),
  pullBack: chance => ({
    kind: 'pullBack',
    times: 2 + chance.below(8),
    everyMs: chance.among([30, 100, 300]),
  }),
  addLearner: chance => ({ kind: 'addLearner', promote: chance.is(0.5) }),
  addMember: () => ({ kind: 'addMember' }),
  removeMember: (chance, cluster) => ({ kind: 'removeMember', target: drawTarget(chance, cluster) }),
  signal: chance => ({ kind: 'signal', signal: chance.among(['SIGTERM', 'SIGINT', 'SIGKILL']) }),
  killAndRunAgain: () => ({ kind: 'killAndRunAgain' }),
  pauseRun: chance => ({ kind: 'pauseRun', forMs: span(chance) }),
  secondRun: (chance, cluster) => {
    const isOther = chance.is(0.6)
    return { kind: 'secondRun', from: drawTarget(chance, cluster), otherHost: BETWEEN_HOSTS && isOther }
  },
  network: (chance, cluster) => ({
    kind: 'network',
    target: drawTarget(chance, cluster),
    how: chance.among(['delay', 'silence', 'cut']),
    delayMs: chance.among([20, 100, 400]),
    forMs: span(chance),
  }),
}

function drawTarget(chance: Chance, cluster: ClusterDraw): Target {
  const role = chance.among(['leader', 'local', 'busy', 'busy', 'busy', 'follower', 'any'] as const)
  return role === 'follower' || role === 'any' ? { role, nth: chance.below(cluster.size) } : { role }
}

function drawInstant(chance: Chance, cluster: ClusterDraw): Instant {
  if (chance.is(0.2)) return { step: 0, ms: chance.below(2000) }
  const steps = cluster.size + 2 // every member, one move, the backup
  return { step: 1 + chance.below(steps), ms: chance.among([0, 0, 5, 20, 50, 150, 400]) + chance.below(10) }
}

/** Numbers that depend on the two seeds only. */
class Chance {
  readonly #next: () => number

  constructor(seed: number, stream: number) {
    this.#next = mulberry32((Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b)) | 0)
    for (let i = 0; i < 8; i++) this.#next() // neighbouring seeds part
  }

  below(n: number): number {
    return Math.floor(this.#next() * n)
  }

  is(probability: number): boolean {
    return this.#next() < probability
  }

  among<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}
