import type { ClusterView, MemberId, MemberView, Metrics } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { LeftAlone } from '../model/report.js'
import type { Action, Circumstances, Progress, Step, StepRecord } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import { isReachable } from './cluster.js'
import { decide, undisturbed } from './decide.js'
import { leftAlone } from './leftAlone.js'

/** What a run would do now if every step went well. */
export type Plan = Readonly<{
  steps: readonly Readonly<{ step: Step; because: string }>[]
  leftAlone: readonly LeftAlone[]
  /** What a run would wait for before its first step. */
  waits: readonly string[]
  verdict: Verdict
}>

/** Folds `decide` over assumed outcomes, so that the preview and the run share a brain. */
export function planOf(
  view: ClusterView,
  policy: Policy,
  { earlier }: Pick<Circumstances, 'earlier'> = undisturbed,
): Plan {
  let assumed = view
  let progress: Progress = []
  const steps: Extract<Action, { kind: 'do' }>[] = []
  const waits: string[] = []
  for (;;) {
    const next = decide(assumed, progress, policy, { ...undisturbed, earlier })
    if (next.kind === 'wait' && !waits.includes(next.because)) {
      waits.push(next.because)
      assumed = calmed(assumed)
      continue
    }
    const decision = next.kind === 'wait' ? next.otherwise : next
    if (decision.kind === 'stop')
      return {
        steps,
        leftAlone: steps.length === 0 ? [] : leftAlone(assumed, progress, policy, { earlier }),
        waits,
        verdict: decision.verdict,
      }
    steps.push(decision)
    progress = [...progress, assumedRecord(decision.step, decision.because)]
    assumed = assumedView(assumed, decision.step)
  }
}

function assumedRecord(step: Step, because: string): StepRecord {
  const common = { because, startedAt: 0, tookMs: 0 }
  const warnings: readonly string[] = []
  switch (step.kind) {
    case 'defragment': {
      const result = { before: step.size, after: undefined }
      return { ...common, kind: step.kind, step, outcome: { kind: 'done', result, warnings } }
    }
    case 'moveLeader':
      return {
        ...common,
        kind: step.kind,
        step,
        outcome: { kind: 'done', result: { to: step.candidates[0] }, warnings },
      }
    case 'disarm':
      return {
        ...common,
        kind: step.kind,
        step,
        outcome: { kind: 'done', result: { members: step.members }, warnings },
      }
    case 'snapshot':
      return { ...common, kind: step.kind, step, outcome: { kind: 'warned', problem: 'assumed' } }
    case 'trim':
      return { ...common, kind: step.kind, step, outcome: { kind: 'warned', problem: 'assumed' } }
  }
}

function assumedView(view: ClusterView, step: Step): ClusterView {
  if (step.kind === 'moveLeader')
    return { ...view, members: view.members.map(m => led(m, step.candidates[0].id)) }
  if (step.kind === 'defragment')
    return { ...view, members: view.members.map(m => (m.member.id === step.member.id ? shrunk(m) : m)) }
  if (step.kind === 'disarm')
    return { ...view, members: view.members.map(m => disarmed(m, new Set(step.members.map(({ id }) => id)))) }
  return view
}

/** What time brings: everything applied, nothing received, nobody else at work, everybody up for long enough. */
const calmed = (view: ClusterView): ClusterView => ({
  ...view,
  members: view.members.map(m => {
    if (m.kind === 'unreachable') return m
    const metrics: Metrics =
      m.metrics.kind === 'known'
        ? { ...m.metrics, isDefragmenting: false, isReceivingSnapshot: false, uptimeMs: undefined }
        : m.metrics
    return { ...m, metrics, status: { ...m.status, raftAppliedIndex: highestCommitOf(view) } }
  }),
})

const highestCommitOf = (view: ClusterView): bigint =>
  view.members
    .filter(isReachable)
    .reduce((highest, { status }) => (status.raftIndex > highest ? status.raftIndex : highest), 0n)

const disarmed = (m: MemberView, ids: ReadonlySet<MemberId>): MemberView =>
  m.kind === 'reachable'
    ? { ...m, status: { ...m.status, alarms: m.status.alarms.filter(alarm => !ids.has(alarm.member)) } }
    : m

const led = (m: MemberView, leader: MemberId): MemberView =>
  m.kind === 'reachable' ? { ...m, status: { ...m.status, leader } } : m

const shrunk = (m: MemberView): MemberView =>
  m.kind === 'reachable' ? { ...m, status: { ...m.status, dbSize: m.status.dbSizeInUse } } : m
