import {
  type Defragmentation,
  defragmentationsOf,
  type Incident,
  leaderAt,
  type Outage,
  untilServing,
} from './timeline.js'
import type { Told, ToldStep } from './told.js'

export type Evidence = Readonly<{
  incidents: readonly Incident[]
  outages: readonly Outage[]
  /** In the order in which they began. */
  runs: readonly Told[]
}>

export type Leniency = Readonly<{
  /** The run was told to go on with unhealthy members (--force-unhealthy). */
  forceUnhealthy?: boolean
  /** Ms between the look a step was decided on and what etcd logs of it: what changed in them, no run could know. */
  lookMs?: number
}>

/** Two clocks of one machine, and a log that is written a moment later. */
const SLACK_MS = 250

/** Every violation of the invariants that the evidence shows, each in words; pure. */
export function violations(evidence: Evidence, leniency: Leniency = {}): readonly string[] {
  const incidents = evidence.incidents.toSorted((a, b) => a.at - b.at)
  const outages = evidence.outages.map(outage => untilServing(outage, incidents))
  const work = defragmentationsOf(incidents, outages).map(done => ({
    ...done,
    claim: claimOf(done, evidence.runs),
  }))
  const scene: Scene = { incidents, outages, work, runs: evidence.runs, lookMs: SLACK_MS, ...leniency }
  return [
    ...twoOut(scene),
    ...leadersHit(scene),
    ...repeated(scene),
    ...evidence.runs.flatMap(run => [...untruths(run, scene)]),
  ]
}

type Claim = Readonly<{ run: Told; step: ToldStep }>
type Work = Defragmentation & Readonly<{ claim: Claim | undefined }>
type Scene = Readonly<{
  incidents: readonly Incident[]
  outages: readonly Outage[]
  work: readonly Work[]
  runs: readonly Told[]
  lookMs: number
  forceUnhealthy?: boolean
}>

/** The last step begun on that member before etcd logged the call: a stopped member may log it late. */
function claimOf({ member, from }: Defragmentation, runs: readonly Told[]): Claim | undefined {
  return runs
    .flatMap(run => run.steps.map(step => ({ run, step })))
    .filter(({ step }) => step.step === 'defragment' && step.member === member)
    .filter(({ step }) => step.startedAt <= from + SLACK_MS)
    .toSorted((a, b) => a.step.startedAt - b.step.startedAt)
    .at(-1)
}

const time = (at: number): string =>
  Number.isFinite(at) ? new Date(at).toISOString().slice(11, 23) : 'the end'
const spanOf = ({ from, until }: { from: number; until: number }): string => `${time(from)}-${time(until)}`

function* twoOut({ work, outages, lookMs, forceUnhealthy }: Scene): Generator<string> {
  for (const [i, one] of work.entries()) {
    for (const other of work.slice(i + 1))
      if (other.member !== one.member && other.from < one.until && one.from < other.until)
        yield `two members out at once: ${one.member} defragmented ${spanOf(one)}, ${other.member} ${spanOf(other)}`
    const decided = one.claim?.step.startedAt ?? one.from
    for (const outage of outages.filter(o => o.from < decided - lookMs && decided < o.until)) {
      const touched =
        one.claim?.run.steps.some(s => s.member === outage.member && s.startedAt < decided) ?? false
      if (touched || forceUnhealthy !== true)
        yield `${one.member} was defragmented at ${time(decided)} while ${outage.member} was ${outage.how} ${spanOf(outage)}${touched ? ', which the run had touched' : ''}`
    }
  }
}

function* leadersHit({ work, incidents, outages, lookMs }: Scene): Generator<string> {
  for (const { member, from, claim } of work) {
    const leader = leaderAt(incidents, outages, from)
    const decided = claim?.step.startedAt ?? from
    if (leader?.member !== member || leader.since > decided - lookMs) continue
    const reachable = (claim?.run.voters ?? []).filter(
      voter => !outages.some(o => o.member === voter && o.from <= decided && decided < o.until),
    )
    // Where the run never said who votes, one that could move leadership is supposed.
    if (claim?.run.voters.length !== 0 && reachable.length <= 1) continue
    yield `${member} was defragmented at ${time(from)} while it led, since ${time(leader.since)}`
  }
}

function* repeated({ work }: Scene): Generator<string> {
  for (const [i, one] of work.entries()) {
    if (one.claim === undefined) {
      yield `${one.member} was defragmented at ${time(one.from)}, and no run tells of it`
      continue
    }
    const isRepeated = work.slice(0, i).some(w => w.member === one.member && w.claim?.run === one.claim?.run)
    if (isRepeated) yield `${one.member} was defragmented once more by the same run at ${time(one.from)}`
  }
}

const codes: Readonly<Record<string, number>> = {
  refused: 69,
  stopped: 76,
  etcd: 76,
  backup: 73,
  interrupted: 75,
  config: 78,
  bug: 70,
}

/** What a run says that etcd does not bear out. */
function* untruths(run: Told, scene: Scene): Generator<string> {
  const { report, killed, code } = run
  const own = scene.work.filter(({ claim }) => claim?.run === run)
  yield* stepUntruths(run, own, scene)
  if (killed) return
  if (report === undefined) {
    yield `a run ended with ${code} and gave no report`
    return
  }
  const { verdict, exitCode, fault } = report
  const due = fault === undefined ? 0 : codes[fault.kind]
  if (code !== exitCode || exitCode !== due || (verdict === 'failed') !== (fault !== undefined))
    yield `exit code ${code}, report ${exitCode}, for the verdict ${verdict} ${JSON.stringify(fault ?? '')}`
  if (fault?.kind === 'bug') yield `a bug: ${report.reason}`
  const touching = run.steps.filter(({ step }) => step !== 'trim')
  if ((verdict === 'skipped' || fault?.kind === 'refused') && (own.length > 0 || touching.length > 0))
    yield `the verdict is ${verdict} (${report.reason}), but members were touched`
  if (verdict !== 'completed') return
  for (const voter of run.voters.filter(v => !run.leftAlone.includes(v)))
    if (own.filter(w => w.member === voter && w.end === 'finished').length !== 1)
      yield `completed, it says, but the voter ${voter} was not defragmented once`
  const broken = run.steps.find(({ step, outcome }) => step === 'snapshot' && outcome !== 'done')
  if (broken !== undefined) yield 'completed, it says, but its backup was not done'
}

function* stepUntruths(run: Told, own: readonly Work[], { incidents, outages }: Scene): Generator<string> {
  for (const step of run.steps.filter(({ outcome }) => outcome === 'done')) {
    const end = step.startedAt + (step.tookMs ?? 0) + SLACK_MS
    if (step.step === 'defragment') {
      const done = own.filter(w => w.claim?.step === step && w.end === 'finished' && w.until <= end)
      if (done.length !== 1)
        yield `the defragmentation of ${step.member} is told as done, and etcd counts ${done.length} in it`
    }
    if (step.step === 'moveLeader' && step.to !== undefined) {
      const { to } = step
      const led = leaderAt(incidents, outages, step.startedAt)?.member === to
      const took = incidents.some(
        i => i.what === 'leads' && i.member === to && i.at > step.startedAt - SLACK_MS && i.at <= end,
      )
      if (!led && !took) yield `leadership is told as moved to ${to}, which did not lead`
    }
  }
}
