import { checkDisks } from './act/disks.js'
import { perform } from './act/index.js'
import { pausedBy } from './decide/admission.js'
import { isCalm } from './decide/calm.js'
import { cautions } from './decide/cautions.js'
import { decide } from './decide/decide.js'
import { pacesOf } from './decide/forecast.js'
import { leftAlone } from './decide/leftAlone.js'
import { type Hold, recall, takeHold } from './hold.js'
import { type LastRun, type Memory, nothingRemembered } from './model/coordination.js'
import { describe, type Fault, faultOf } from './model/fault.js'
import type { ClusterView } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { RunReport } from './model/report.js'
import type { Progress, Step } from './model/step.js'
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
  const left = (await course.hold?.leave(recordOf(course, verdict, world))) ?? []
  const report = reportOf(course, verdict, policy, { startedAt, endedAt: world.now() }, left)
  world.tell({ event: 'ended', report })
  return report
}

async function follow(
  course: Course,
  world: World,
  policy: Policy,
  signal: AbortSignal,
  breakOff: (lost: AbortSignal) => void,
): Promise<Verdict> {
  const paused = pausedBy(await world.nodePause(), 'this node', world.now())
  if (paused !== undefined) return paused
  let calmLooks = 0
  let stepEndedAt = world.now()
  let waiting: { since: number; because: string } | undefined
  for (;;) {
    signal.throwIfAborted()
    const lookedAt = world.now() // what is given up on is seen once more, though we were asleep until the time was over
    const view = await world.etcd.observe(signal)
    calmLooks = course.after !== undefined && isCalm(course.after, view) ? calmLooks + 1 : 1
    course.after = view
    if (course.before === undefined) {
      course.before = view
      course.memory = await recall(world.coordination)
      const held = pausedBy(course.memory.pause, 'the cluster', world.now())
      if (held !== undefined) return held
    }
    const decision = decide(view, course.progress, policy, {
      calmLooks,
      sinceStepMs: world.now() - stepEndedAt,
      earlier: course.memory.lastRun?.paces ?? [],
      ledAtFirst: course.hold?.ledAtFirst,
    })
    if (decision.kind === 'wait') {
      if (waiting?.because !== decision.because && !decision.calming)
        world.tell({ event: 'waiting', because: decision.because })
      waiting = { since: waiting?.since ?? world.now(), because: decision.because }
      if (lookedAt - waiting.since < decision.patienceMs) {
        await world.sleep(decision.calming ? CALMING_POLL_MS : POLL_MS)
        continue
      }
    }
    const action = decision.kind === 'wait' ? decision.otherwise : decision
    world.tell({ event: 'decided', action })
    if (action.kind === 'stop') return action.verdict
    if (course.hold === undefined) {
      course.warnings = await checkDisks(view, policy)
      const hold = await takeHold(world, view, policy, signal)
      if (hold.kind !== 'held') return hold
      course.hold = hold
      hold.lost.addEventListener('abort', () => breakOff(hold.lost))
      continue // the last look may be older than the end of another run
    }
    await course.hold.confirm()
    signal.throwIfAborted()
    waiting = undefined
    course.step = action.step
    const record = await perform(action, { world, view, stop: signal })
    course.step = undefined
    course.progress = [...course.progress, record]
    stepEndedAt = world.now()
    calmLooks = 0
  }
}

/** A member whose call is still open is worth more words than the signal that came meanwhile. */
function endedBy(error: unknown, { progress }: Course, signal: AbortSignal): Fault {
  const last = progress.at(-1)?.outcome
  if (last?.kind === 'unanswered') return last.fault
  return signal.aborted ? { kind: 'interrupted', by: String(signal.reason) } : faultOf(error)
}

/** What the next run is to know of this one; nothing of one that touched nothing. */
function recordOf({ progress, memory }: Course, verdict: Verdict, world: World): LastRun | undefined {
  if (progress.length === 0 || verdict.kind === 'skipped') return undefined
  const measured = pacesOf(progress)
  const older = (memory.lastRun?.paces ?? []).filter(
    pace => !measured.some(({ member }) => member === pace.member),
  )
  return {
    by: world.host,
    endedAt: world.now(),
    verdict: verdict.kind,
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
        const isBack = fault.kind === 'etcd' && outcome.kind === 'unanswered'
        return [isBack ? `${fault.call}: ${fault.problem}; it was over later on` : describe(fault)]
      }
    }
  })
