import { cautions } from './decide/cautions.js'
import { stillNoSpace } from './decide/disarm.js'
import { pacesOf } from './decide/forecast.js'
import { leftAlone } from './decide/leftAlone.js'
import { failedDefragment } from './decide/progress.js'
import type { Hold } from './hold.js'
import type { LastRun, Memory } from './model/coordination.js'
import { describe, type Fault, faultOf } from './model/fault.js'
import type { ClusterView } from './model/member.js'
import type { Policy } from './model/policy.js'
import type { RunReport } from './model/report.js'
import type { Progress, Step } from './model/step.js'
import { exitCodeOf, type Verdict } from './model/verdict.js'
import type { World } from './model/world.js'

/** What one run has seen and done so far. */
export type Course = {
  /** The cluster before the first step, and at the last look. */
  before: ClusterView | undefined
  after: ClusterView | undefined
  memory: Memory
  hold: Hold | undefined
  /** Under way. */
  step: Step | undefined
  progress: Progress
  /** How it ends, after something was waited for in vain. */
  givenUp: Verdict | undefined
  warnings: readonly string[]
}

/** A call that failed, or whose end is unknown, is worth more words than the signal that came meanwhile. */
export function endedBy(error: unknown, course: Course, signal: AbortSignal): Verdict {
  return course.givenUp ?? { kind: 'failed', fault: openFault(course) ?? ofSignal(error, signal) }
}

const ofSignal = (error: unknown, signal: AbortSignal): Fault =>
  signal.aborted ? { kind: 'interrupted', by: String(signal.reason) } : faultOf(error)

function openFault({ progress, after }: Course): Fault | undefined {
  const last = progress.at(-1)
  if (last?.outcome.kind === 'unanswered') return last.outcome.fault
  if (last?.outcome.kind === 'failed' && last.kind === 'disarm') return last.outcome.fault
  return after && failedDefragment(after, progress)
}

/** Whoever asks for a backup and gets none must not take it for one, whatever the good reason. */
export const withBackup = (verdict: Verdict): Verdict =>
  verdict.kind === 'skipped'
    ? { kind: 'failed', fault: { kind: 'refused', check: verdict.check, problem: verdict.because } }
    : verdict

/** What the next run is to know of this one; nothing of one that touched nothing. */
export function recordOf(
  { progress, memory, after }: Course,
  verdict: Verdict,
  world: World,
  policy: Policy,
): LastRun | undefined {
  if (policy.job === 'backup' || progress.length === 0 || verdict.kind === 'skipped') return undefined
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

export function reportOf(
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
      ...warned(after, progress, verdict),
      ...(policy.disarms || after === undefined ? [] : [stillNoSpace(after) ?? []].flat()),
      ...left,
    ],
  }
}

/** What the steps have to say that does not decide the verdict. */
const warned = (after: ClusterView | undefined, progress: Progress, verdict: Verdict): readonly string[] =>
  progress.flatMap(({ kind, outcome }) => {
    switch (outcome.kind) {
      case 'done':
        return outcome.warnings
      case 'warned':
        return [outcome.problem]
      case 'unanswered':
      case 'failed': {
        const { fault } = outcome
        if (verdict.kind === 'failed' && verdict.fault === fault) return []
        const isOver =
          kind === 'defragment'
            ? after !== undefined && failedDefragment(after, progress) !== fault
            : verdict.kind === 'completed'
        return [
          isOver && outcome.kind === 'unanswered' && fault.kind === 'etcd'
            ? `${fault.call}: ${fault.problem}; it was over later on`
            : describe(fault),
        ]
      }
    }
  })
