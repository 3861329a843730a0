import { checkDisks } from './act/disks.js'
import { perform } from './act/index.js'
import { isAsSeen } from './asSeen.js'
import { pausedBy } from './decide/admission.js'
import { isCalm } from './decide/calm.js'
import { cautions } from './decide/cautions.js'
import { decide } from './decide/decide.js'
import { stillNoSpace } from './decide/disarm.js'
import { pacesOf } from './decide/forecast.js'
import { reignAt } from './decide/gates.js'
import { leftAlone } from './decide/leftAlone.js'
import { type Hold, recall, takeHold } from './hold.js'
import { type LastRun, type Memory, nothingRemembered } from './model/coordination.js'
import { describe, type Fault, faultOf } from './model/fault.js'
import type { ClusterView } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { RunReport } from './model/report.js'
import type { Progress, Reign, Step } from './model/step.js'
import { exitCodeOf, type Verdict } from './model/verdict.js'
import type { World } from './model/world.js'

/** Between two looks: at members that are not ready yet, and at members that seem to be. */
const POLL_MS = 100
const CALMING_POLL_MS = 20

/** What one run has seen and done so far. */
type Course = {
  /** The cluster before the first step, and at the last look. */
  before: ClusterView | undefined
  after: ClusterView | undefined
  memory: Memory
  hold: Hold | undefined
  /** Under way. */
  step: Step | undefined
  progress: Progress
  warnings: readonly string[]
}

/**
 * One run: look, decide, do one step, look again. Never throws: whatever happens is in the report.
 * When `stop` is aborted (its reason is the signal's name) or the lock is lost, a step that etcd would carry on with
 * anyway is waited for, any other is undone, and no further one begins.
 */
export async function run(world: World, policy: Policy, stop: AbortSignal): Promise<RunReport> {
  const startedAt = world.now()
  const course: Course = {
    before: undefined,
    after: undefined,
    memory: nothingRemembered,
    hold: undefined,
    step: undefined,
    progress: [],
    warnings: [],
  }
  const broken = new AbortController()
  const breakOff = ({ reason }: AbortSignal) => {
    if (broken.signal.aborted) return
    world.tell({ event: 'interrupting', by: String(reason), during: course.step })
    broken.abort(reason)
  }
  const onStop = () => breakOff(stop)
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop)
  const verdict = await follow(course, world, policy, broken.signal, breakOff).catch(
    (error): Verdict => ({ kind: 'failed', fault: endedBy(error, course, broken.signal) }),
  )
  stop.removeEventListener('abort', onStop)
  const left = (await course.hold?.leave(recordOf(course, verdict, world, policy))) ?? []
  const report = reportOf(course, verdict, policy, { startedAt, endedAt: world.now() }, left)
  world.tell({ event: 'ended', report })
  return report
}

/** Waits that nothing is wrong behind. */
const isHarmless = (check: string): boolean =>
  check === 'pause' || check === 'justStarted' || check === 'calm'

async function follow(
  course: Course,
  world: World,
  policy: Policy,
  signal: AbortSignal,
  breakOff: (lost: AbortSignal) => void,
): Promise<Verdict> {
  const paused = pausedBy(await world.nodePause(), 'node', world.now())
  if (paused !== undefined) return paused
  let calmLooks = 0
  let reign: Reign | undefined
  let changingSince: number | undefined
  let stepEndedAt = world.now()
  let waiting: { since: number; check: string; because: string } | undefined
  for (;;) {
    signal.throwIfAborted()
    const lookedAt = world.now() // what is given up on is seen once more, though we were asleep until the time was over
    const view = await world.etcd.observe(signal)
    calmLooks = course.after !== undefined && isCalm(course.after, view) ? calmLooks + 1 : 1
    course.after = view
    if (course.before === undefined) {
      course.before = view
      course.memory = await recall(world.coordination)
      const held = pausedBy(course.memory.pause, 'cluster', world.now())
      if (held !== undefined) return held
    }
    if (course.hold?.isLocked === false) reign ??= reignAt(view)
    const decision = decide(view, course.progress, policy, {
      calmLooks,
      sinceStepMs: world.now() - stepEndedAt,
      earlier: course.memory.lastRun?.paces ?? [],
      reign,
    })
    if (decision.kind === 'wait') {
      if (waiting?.because !== decision.because && !decision.calming)
        world.tell({ event: 'waiting', because: decision.because })
      const { check, because } = decision
      // A pause or a young member is no trouble: what comes after it has its own time.
      const since =
        waiting === undefined || isHarmless(waiting.check) !== isHarmless(check) ? world.now() : waiting.since
      waiting = { since, check, because }
      if (lookedAt - waiting.since < decision.patienceMs) {
        await world.sleep(decision.calming ? CALMING_POLL_MS : POLL_MS)
        continue
      }
    }
    const action = decision.kind === 'wait' ? decision.otherwise : decision
    if (action.kind === 'stop') return action.verdict
    if (course.hold === undefined) {
      course.warnings = await checkDisks(view, policy)
      const hold = await takeHold(world, view, policy, signal)
      if (hold.kind !== 'held') return hold
      course.hold = hold
      course.memory = hold.memory
      hold.lost.addEventListener('abort', () => breakOff(hold.lost))
      if (hold.lost.aborted) breakOff(hold.lost)
      waiting = undefined
      continue // the last look may be older than the end of another run
    }
    await course.hold.confirm()
    signal.throwIfAborted()
    if (!(await isAsSeen(world, view, course.progress, action.step))) {
      changingSince ??= world.now()
      if (world.now() - changingSince < policy.settleTimeoutMs) continue
      const problem = 'members are no longer as they were seen a moment ago, each time they are looked at'
      const kind = course.progress.length === 0 ? 'refused' : 'stopped'
      return { kind: 'failed', fault: { kind, check: 'asSeen', problem } }
    }
    changingSince = undefined
    waiting = undefined
    world.tell({ event: 'decided', action })
    course.step = action.step
    const record = await perform(action, { world, view, stop: signal })
    course.step = undefined
    course.progress = [...course.progress, record]
    stepEndedAt = world.now()
    calmLooks = 0
  }
}

/** A call that failed, or whose end is unknown, is worth more words than the signal that came meanwhile. */
function endedBy(error: unknown, { progress }: Course, signal: AbortSignal): Fault {
  const last = progress.at(-1)
  if (last?.outcome.kind === 'unanswered') return last.outcome.fault
  if (last?.outcome.kind === 'failed' && (last.kind === 'defragment' || last.kind === 'disarm'))
    return last.outcome.fault
  return signal.aborted ? { kind: 'interrupted', by: String(signal.reason) } : faultOf(error)
}

/** What the next run is to know of this one; nothing of one that touched nothing. */
function recordOf(
  { progress, memory, after }: Course,
  verdict: Verdict,
  world: World,
  policy: Policy,
): LastRun | undefined {
  if (progress.length === 0 || verdict.kind === 'skipped') return undefined
  const earlier = memory.lastRun?.paces ?? []
  const left =
    after === undefined
      ? 0
      : leftAlone(after, progress, policy, { earlier }).filter(one => !one.isLearner).length
  const measured = pacesOf(progress)
  const members = new Set(after?.members.map(({ member }) => member.id))
  const older = earlier.filter(
    ({ member }) => members.has(member) && !measured.some(pace => pace.member === member),
  )
  return {
    by: world.host,
    endedAt: world.now(),
    verdict: verdict.kind,
    backup:
      progress.find(({ kind, outcome }) => kind === 'snapshot' && outcome.kind === 'done') &&
      policy.backupPath,
    leftAlone: left,
    exitCode: exitCodeOf(verdict),
    reason: verdict.kind === 'failed' ? describe(verdict.fault) : undefined,
    paces: [...measured, ...older],
  }
}

function reportOf(
  { before, after, memory, hold, progress, warnings }: Course,
  verdict: Verdict,
  policy: Policy,
  times: Readonly<{ startedAt: number; endedAt: number }>,
  left: readonly string[],
): RunReport {
  const earlier = memory.lastRun?.paces ?? []
  return {
    ...times,
    verdict,
    steps: progress,
    before,
    after,
    leftAlone: after === undefined ? [] : leftAlone(after, progress, policy, { earlier }),
    warnings: [
      ...(before === undefined || verdict.kind === 'skipped' ? [] : cautions(before, policy)),
      ...warnings,
      ...(hold === undefined ? [] : [...memory.problems, ...hold.warnings]),
      ...warned(progress, verdict),
      ...(policy.disarms || after === undefined ? [] : [stillNoSpace(after) ?? []].flat()),
      ...left,
    ],
  }
}

/** What the steps have to say that does not decide the verdict. */
const warned = (progress: Progress, verdict: Verdict): readonly string[] =>
  progress.flatMap(({ outcome }) => {
    switch (outcome.kind) {
      case 'done':
        return outcome.warnings
      case 'warned':
        return [outcome.problem]
      case 'unanswered':
      case 'failed': {
        const { fault } = outcome
        if (verdict.kind === 'failed' && verdict.fault === fault) return []
        // The run went on, and it does so only where the member was ready again.
        const isBack = fault.kind === 'etcd' && outcome.kind === 'unanswered' && verdict.kind === 'completed'
        return [isBack ? `${fault.call}: ${fault.problem}; it was over later on` : describe(fault)]
      }
    }
  })
