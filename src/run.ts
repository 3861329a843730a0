import { checkDisks, tidyDisks } from './act/disks.js'
import { perform } from './act/index.js'
import { isAsSeen } from './asSeen.js'
import { type Course, endedBy, recordOf, reportOf, withBackup } from './course.js'
import { pausedBy } from './decide/admission.js'
import { isCalm } from './decide/calm.js'
import { decide } from './decide/decide.js'
import { reignAt } from './decide/gates.js'
import { recall, takeHold } from './hold.js'
import { nothingRemembered } from './model/coordination.js'
import type { Policy } from './model/policy.js'
import type { RunReport } from './model/report.js'
import type { Reign } from './model/step.js'
import type { Verdict } from './model/verdict.js'
import type { World } from './model/world.js'

/** Between two looks: at members that seem to be ready, for a moment, at a clock, and at members that are not ready yet. */
const pollMs = (check: string, sinceStepMs: number): number =>
  check === 'calm' ? (sinceStepMs < 250 ? 5 : 100) : isHarmless(check) ? 500 : 100

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
    givenUp: undefined,
    warnings: [],
  }
  const broken = new AbortController()
  const breakOff = ({ reason }: AbortSignal) => {
    if (broken.signal.aborted) return
    world.tell({ event: 'interrupting', by: String(reason), during: course.step })
    broken.abort(reason)
  }
  const onStop = () => breakOff(stop)
  const onLost = () => course.hold !== undefined && breakOff(course.hold.lost)
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop)
  await tidyDisks(policy)
  const ended = await follow(course, world, policy, broken.signal, onLost).catch(error =>
    endedBy(error, course, broken.signal),
  )
  const verdict = policy.job === 'backup' ? withBackup(ended) : ended
  stop.removeEventListener('abort', onStop)
  course.hold?.lost.removeEventListener('abort', onLost) // Node keeps what listens to a signal of several (AbortSignal.any)
  const left = (await course.hold?.leave(recordOf(course, verdict, world, policy))) ?? []
  const report = reportOf(course, verdict, policy, { startedAt, endedAt: world.now() }, left)
  world.tell({ event: 'ended', report })
  return report
}

/** Between one step and the next, whatever is waited for in turn. */
const longestWaitMs = ({ pauseMs, minUptimeMs, settleTimeoutMs }: Policy): number =>
  pauseMs + minUptimeMs + 3 * settleTimeoutMs

/** Waits that nothing is wrong behind. */
const isHarmless = (check: string | undefined): boolean =>
  check === 'pause' || check === 'justStarted' || check === 'calm'

async function follow(
  course: Course,
  world: World,
  policy: Policy,
  signal: AbortSignal,
  onLost: () => void,
): Promise<Verdict> {
  const paused = pausedBy(await world.nodePause(), 'node', world.now())
  if (paused !== undefined) return paused
  let [calmLooks, calmSince] = [0, 0]
  let reign: Reign | undefined
  let changingSince: number | undefined
  let stepEndedAt = world.now()
  let waiting: { since: number; check: string; because: string } | undefined
  let waitingSince: number | undefined // for whatever: a member that starts again and again changes from trouble to none
  for (;;) {
    signal.throwIfAborted()
    const lookedAt = world.now() // what is given up on is seen once more, though we were asleep until the time was over
    const view = await world.etcd.observe(signal)
    const isStillCalm = calmLooks > 0 && course.after !== undefined && isCalm(course.after, view)
    calmLooks = isStillCalm ? calmLooks + 1 : 1
    if (!isStillCalm) calmSince = world.now() // and not while the first look waited for its answers
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
      calmMs: lookedAt - calmSince,
      sinceStepMs: world.now() - stepEndedAt,
      earlier: course.memory.lastRun?.paces ?? [],
      reign,
      givenUp: course.givenUp,
    })
    if (decision.kind === 'wait') {
      if (waiting?.because !== decision.because && !decision.calming)
        world.tell({ event: 'waiting', because: decision.because })
      const { check, because } = decision
      // A pause or a young member is no trouble: what comes after it has its own time.
      const isOther = waiting?.check !== check && (isHarmless(waiting?.check) || isHarmless(check))
      const since = waiting === undefined || isOther ? world.now() : waiting.since
      waiting = { since, check, because }
      waitingSince ??= world.now()
      if (lookedAt - since < decision.patienceMs && lookedAt - waitingSince < longestWaitMs(policy)) {
        changingSince = undefined
        await world.sleep(pollMs(check, world.now() - stepEndedAt))
        continue
      }
    }
    const action = decision.kind === 'wait' ? decision.otherwise : decision
    if (action.kind === 'stop') {
      if (decision.kind === 'stop') return action.verdict
      course.givenUp = action.verdict
      continue
    }
    if (course.hold === undefined) {
      course.warnings = await checkDisks(view, policy)
      const hold = await takeHold(world, view, policy, signal)
      if (hold.kind !== 'held') return hold
      course.hold = hold
      course.memory = hold.memory
      hold.lost.addEventListener('abort', onLost)
      if (hold.lost.aborted) onLost()
      waiting = waitingSince = undefined
      continue // the last look may be older than the end of another run
    }
    await course.hold.confirm()
    signal.throwIfAborted()
    if (!(await isAsSeen(world, view))) {
      changingSince ??= world.now()
      if (world.now() - changingSince < policy.settleTimeoutMs) {
        await world.sleep(100)
        continue
      }
      if (course.givenUp !== undefined) return course.givenUp
      const problem = 'members are no longer as they were seen a moment ago, each time they are looked at'
      const kind = course.progress.length === 0 ? 'refused' : 'stopped'
      return { kind: 'failed', fault: { kind, check: 'asSeen', problem } }
    }
    signal.throwIfAborted() // a slow member may have kept us
    changingSince = undefined
    waiting = waitingSince = undefined
    world.tell({ event: 'decided', action })
    course.step = action.step
    const record = await perform(action, { world, view, stop: signal })
    course.step = undefined
    course.progress = [...course.progress, record]
    stepEndedAt = world.now()
    calmLooks = 0
  }
}
