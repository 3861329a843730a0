import type { Ended } from './command.js'
import { jsonLine } from './timeline.js'

/** One step as a run told it; `outcome` is undefined where the run was killed in the middle. */
export type ToldStep = Readonly<{
  step: 'defragment' | 'moveLeader' | 'snapshot' | 'trim'
  member: string | undefined
  startedAt: number
  tookMs: number | undefined
  outcome: 'done' | 'warned' | 'unanswered' | 'failed' | undefined
  /** Of a moveLeader that was done: who was asked to take over. */
  to: string | undefined
  archive: Readonly<{ sha256: string; archiveBytes: number }> | undefined
}>

export type Fault = Readonly<{ kind: string; check?: string }>
/** What one run said of itself, in its report or, where it was killed, in its log. */
export type Told = Readonly<{
  /** Nobody can tell the truth about a SIGKILL. */
  killed: boolean
  code: number | null
  startedAt: number
  endedAt: number
  report:
    | Readonly<{ verdict: string; exitCode: number; fault: Fault | undefined; reason: string | null }>
    | undefined
  steps: readonly ToldStep[]
  /** Voters at its last look. */
  voters: readonly string[]
  leftAlone: readonly string[]
  /** It says that it could not give its lock back, which then goes by itself. */
  keptLock: boolean
}>

type Named = Readonly<{ id: string; name: string }>
type StepJson = Readonly<{
  step: ToldStep['step']
  member?: Named
  outcome?: ToldStep['outcome']
  startedAt?: string
  tookMs?: number
  result?: Readonly<{ to?: Named; sha256?: string; archiveBytes?: number }>
}>
type ReportJson = Readonly<{
  verdict: string
  exitCode: number
  reason: string | null
  fault?: Fault
  startedAt: string
  endedAt: string
  leftAlone: readonly Readonly<{ name: string }>[]
  warnings: readonly string[]
  steps: readonly StepJson[]
  after: Readonly<{ members: readonly Readonly<{ name: string; learner: boolean }>[] }> | null
}>

/** Reads one run that was started with `--output json`. */
export function toldBy({ code, signal, stdout, stderr }: Ended): Told {
  const events = stderr.split('\n').map(jsonLine)
  const times = events.flatMap(({ time }) => (typeof time === 'string' ? [Date.parse(time)] : []))
  const report = jsonLine(stdout) as Partial<ReportJson>
  const common = { killed: signal !== null || (code ?? 0) > 128, code }
  if (report.steps === undefined || report.startedAt === undefined)
    return {
      ...common,
      startedAt: times[0] ?? 0,
      endedAt: times.at(-1) ?? 0,
      report: undefined,
      steps: begunSteps(events),
      voters: [],
      leftAlone: [],
      keptLock: false,
    }
  const { verdict = '', exitCode = -1, fault, reason = null } = report
  return {
    ...common,
    startedAt: Date.parse(report.startedAt),
    endedAt: Date.parse(report.endedAt ?? ''),
    report: { verdict, exitCode, fault, reason },
    steps: report.steps.map(toldStep),
    voters: (report.after?.members ?? []).filter(m => !m.learner).map(m => m.name),
    leftAlone: (report.leftAlone ?? []).map(m => m.name),
    keptLock: (report.warnings ?? []).some(warning => /lock .* goes by itself within/.test(warning)),
  }
}

/** A step that ended stands there twice, and only its end counts. */
function begunSteps(events: readonly Record<string, unknown>[]): readonly ToldStep[] {
  const steps: ToldStep[] = []
  for (const event of events) {
    if (event['event'] === 'stepStarted')
      steps.push(toldStep({ ...(event as StepJson), startedAt: String(event['time']) }))
    if (event['event'] === 'stepEnded') steps.splice(-1, 1, toldStep(event as StepJson))
  }
  return steps
}

const toldStep = ({ step, member, outcome, startedAt = '', tookMs, result }: StepJson): ToldStep => ({
  step,
  member: member?.name,
  startedAt: Date.parse(startedAt),
  tookMs,
  outcome,
  to: result?.to?.name,
  archive:
    result?.sha256 === undefined
      ? undefined
      : { sha256: result.sha256, archiveBytes: result.archiveBytes ?? 0 },
})
