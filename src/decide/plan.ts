import type { ClusterView, MemberId, MemberView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Action, Progress, Step, StepRecord } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import { decide } from './decide.js'

/** What a run would do now if every step went well. */
export type Plan = Readonly<{
  steps: readonly Readonly<{ step: Step; because: string }>[]
  verdict: Verdict
}>

/** Folds `decide` over assumed outcomes, so that the preview and the run share a brain. */
export function planOf(view: ClusterView, policy: Policy): Plan {
  let assumed = view
  let progress: Progress = []
  const steps: Extract<Action, { kind: 'do' }>[] = []
  for (;;) {
    const next = decide(assumed, progress, policy)
    const decision = next.kind === 'wait' ? next.otherwise : next
    if (decision.kind === 'stop') return { steps, verdict: decision.verdict }
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
  return view
}

const led = (m: MemberView, leader: MemberId): MemberView =>
  m.kind === 'reachable' ? { ...m, status: { ...m.status, leader } } : m

const shrunk = (m: MemberView): MemberView =>
  m.kind === 'reachable' ? { ...m, status: { ...m.status, dbSize: m.status.dbSizeInUse } } : m
