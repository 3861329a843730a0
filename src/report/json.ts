import { alarmsOf, complaintsOf, lagOf, leaderOf, quotaOf, toleranceOf } from '../decide/cluster.js'
import type { Plan } from '../decide/plan.js'
import { describe } from '../model/fault.js'
import type { ClusterView, Member, MemberView } from '../model/member.js'
import type { RunReport } from '../model/report.js'
import type { Results, Step, StepKind, StepRecord } from '../model/step.js'
import { exitCodeOf, type Verdict } from '../model/verdict.js'
import { reclaimedBytes } from './totals.js'

/** Version of the shape of all JSON documents below; a field is added without a new one, never changed. */
const FORMAT = 1

/** What `run --output json` prints. Times are RFC 3339, spans milliseconds, sizes bytes, ids hex. */
export const runJson = (report: RunReport) => ({
  format: FORMAT,
  ...endJson(report),
  steps: report.steps.map(recordJson),
  before: report.before === undefined ? null : clusterJson(report.before),
  after: report.after === undefined ? null : clusterJson(report.after),
})

/** How a run ended, without its steps. */
export const endJson = (report: RunReport) => ({
  ...verdictJson(report.verdict),
  startedAt: new Date(report.startedAt).toISOString(),
  endedAt: new Date(report.endedAt).toISOString(),
  tookMs: report.endedAt - report.startedAt,
  reclaimedBytes: reclaimedBytes(report),
  leftAlone: report.leftAlone,
  warnings: report.warnings,
})

/** What `plan --output json` prints. */
export const planJson = (view: ClusterView, plan: Plan, warnings: readonly string[]) => ({
  format: FORMAT,
  ...verdictJson(plan.verdict),
  steps: plan.steps.map(({ step, because }) => ({ ...stepJson(step), because })),
  leftAlone: plan.leftAlone,
  warnings,
  cluster: clusterJson(view),
})

/** What `status --output json` prints. */
export const statusJson = (view: ClusterView) => ({ format: FORMAT, ...clusterJson(view) })

/** What a command prints with --output json when it failed before it had anything to report. */
export const failureJson = (verdict: Verdict) => ({ format: FORMAT, ...verdictJson(verdict) })

export function verdictJson(verdict: Verdict) {
  const exitCode = exitCodeOf(verdict)
  switch (verdict.kind) {
    case 'completed':
      return { verdict: verdict.kind, exitCode, reason: null }
    case 'skipped':
      return { verdict: verdict.kind, exitCode, reason: verdict.because, check: verdict.check }
    case 'failed':
      return { verdict: verdict.kind, exitCode, reason: describe(verdict.fault), fault: verdict.fault }
  }
}

const memberJson = ({ id, name }: Member) => ({ id, name })

export function stepJson(step: Step) {
  switch (step.kind) {
    case 'defragment':
      return { step: step.kind, member: memberJson(step.member), expectedStall: step.stall }
    case 'moveLeader':
      return { step: step.kind, from: memberJson(step.from), candidates: step.candidates.map(memberJson) }
    case 'disarm':
      return { step: step.kind, members: step.members.map(memberJson) }
    case 'snapshot':
      return { step: step.kind, member: memberJson(step.from), path: step.path, retention: step.retention }
    case 'trim':
      return { step: step.kind, path: step.path }
  }
}

export function recordJson(record: StepRecord) {
  const { outcome } = record
  const common = {
    ...stepJson(record.step),
    because: record.because,
    startedAt: new Date(record.startedAt).toISOString(),
    tookMs: record.tookMs,
    outcome: outcome.kind,
  }
  switch (outcome.kind) {
    case 'done':
      return { ...common, result: resultJson(outcome.result) }
    case 'warned':
      return { ...common, problem: outcome.problem }
    case 'unanswered':
    case 'failed':
      return { ...common, problem: describe(outcome.fault), fault: outcome.fault }
  }
}

function resultJson(result: Results[StepKind]) {
  if ('to' in result) return { to: memberJson(result.to) }
  if ('members' in result) return { members: result.members.map(memberJson) }
  return 'before' in result ? { ...result, after: result.after ?? null } : result
}

export const clusterJson = (view: ClusterView) => ({
  clusterId: view.clusterId,
  leader: leaderOf(view)?.id ?? null,
  local: view.local ?? null,
  tolerance: toleranceOf(view),
  members: view.members.map(m => memberViewJson(view, m)),
})

function memberViewJson(view: ClusterView, m: MemberView) {
  const complaints = complaintsOf(view, m)
  const common = { ...m.member, healthy: complaints.length === 0, complaints }
  if (m.kind === 'unreachable') return { ...common, reachable: false, problem: m.problem }
  const { status } = m
  return {
    ...common,
    reachable: true,
    endpoint: m.endpoint,
    version: status.version,
    role: m.member.learner ? 'learner' : status.leader === m.member.id ? 'leader' : 'follower',
    dbSize: status.dbSize,
    dbSizeInUse: status.dbSizeInUse,
    quota: quotaOf(m) ?? null,
    uptimeMs: m.metrics.kind === 'known' ? (m.metrics.uptimeMs ?? null) : null,
    reclaimable: status.dbSize - status.dbSizeInUse,
    raftTerm: Number(status.raftTerm),
    raftIndex: Number(status.raftIndex),
    raftAppliedIndex: Number(status.raftAppliedIndex),
    raftLag: Number(lagOf(view, m)),
    alarms: alarmsOf(view, m.member.id),
    errors: status.errors,
    read: m.read,
  }
}
