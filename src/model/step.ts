import type { Pace } from './coordination.js'
import type { Fault } from './fault.js'
import type { Member, MemberId } from './member.js'
import type { Retention } from './retention.js'
import type { Verdict } from './verdict.js'

export type Step = Readonly<
  /**
   * `size` and `processStart`: before it. `stall`: how long the member is expected to be out. `proof`: what shows afterwards that it is
   * back; one that served no read is asked for none.
   */
  | {
      kind: 'defragment'
      member: Member
      size: Size
      processStart: number | undefined
      stall: Stall
      proof: 'linearizableRead' | 'status'
    }
  /** `act` picks one of the candidates at random. */
  | { kind: 'moveLeader'; from: Member; candidates: readonly [Member, ...Member[]] }
  /** The members whose NOSPACE alarm has no reason any more. */
  | { kind: 'disarm'; members: readonly [Member, ...Member[]] }
  | { kind: 'snapshot'; from: Member; path: string; retention: Retention }
  | { kind: 'trim'; path: string }
>
export type StepKind = Step['kind']
export type StepOf<K extends StepKind> = Extract<Step, { kind: K }>

/** Sizes of one member's database, in bytes. */
export type Size = Readonly<{ dbSize: number; dbSizeInUse: number }>

/** A forecast, and what it was made from: members of this run, the last run, or nothing measured at all. */
export type Stall = Readonly<{ ms: number; basis: 'thisRun' | 'lastRun' | 'assumed' }>

export type BackupResult = Readonly<{
  path: string
  snapshotBytes: number
  archiveBytes: number
  /** Hex; the SHA-256 that etcd appended to the snapshot, found equal after decoding the archive again. */
  sha256: string
  archiveSha256: string
  /** Of the last change in it. */
  revision: number
  totalKeys: number
  /** False where there was no room to spool and the stream was compressed as it came. */
  spooled: boolean
  /** One after the other: what is spooled is verified while it is compressed, and `verifyMs` is what is left of that. */
  snapshotMs: number
  compressMs: number
  verifyMs: number
}>

/** What a step that went well has to tell. */
export type Results = {
  defragment: Readonly<{ before: Size; after: Size | undefined }>
  moveLeader: Readonly<{ to: Member }>
  disarm: Readonly<{ members: readonly Member[] }>
  snapshot: BackupResult
  trim: Readonly<{ bytes: number; said: string }>
}

export type Outcome<K extends StepKind> = Readonly<
  | { kind: 'done'; result: Results[K]; warnings: readonly string[] }
  /** The call's end is unknown: the member counts as out until it proves otherwise. */
  | { kind: 'unanswered'; fault: Fault; transferee?: MemberId }
  | { kind: 'failed'; fault: Fault; transferee?: MemberId }
  /** It did not work and nothing is worse for it. */
  | { kind: 'warned'; problem: string }
>

/** One step this run has performed. */
export type StepRecord = {
  [K in StepKind]: Readonly<{
    kind: K
    step: StepOf<K>
    because: string
    startedAt: number // ms since the epoch
    tookMs: number
    outcome: Outcome<K>
  }>
}[StepKind]
export type RecordOf<K extends StepKind> = Extract<StepRecord, { kind: K }>

/** The next step, or the end. */
export type Action = Readonly<
  { kind: 'do'; step: Step; because: string } | { kind: 'stop'; verdict: Verdict }
>

/** Everything this run has done so far, oldest first. */
export type Progress = readonly StepRecord[]

export type Decision = Readonly<
  | Action
  /**
   * Nothing may be touched now; look again, and give up with `otherwise` once that has lasted `patienceMs`. `calming`:
   * nothing is wrong, there were only too few looks to be sure.
   */
  | { kind: 'wait'; check: string; because: string; otherwise: Action; patienceMs: number; calming: boolean }
>

/** What a decision rests on besides the cluster as it is and the steps so far. */
export type Circumstances = Readonly<{
  /** Looks in a row, the last one included, that showed a cluster at rest. */
  calmLooks: number
  /** Since the first of them ended. */
  calmMs: number
  /** Since the last step ended. */
  sinceStepMs: number
  /** How the members did in the last run on record. */
  earlier: readonly Pace[]
  /** The leadership under which the run began, where no lock keeps other runs away; undefined where one does. */
  reign: Reign | undefined
  /** How the run ends, once something was waited for in vain; until then backup and trim may be left to do. */
  givenUp: Verdict | undefined
}>

export type Reign = Readonly<{ leader: MemberId | undefined; term: bigint }>

/** Whether etcd may still act on the call that the step was, or may have acted on it. */
export const isInDoubt = (outcome: StepRecord['outcome']): boolean =>
  outcome.kind === 'unanswered' ||
  (outcome.kind === 'failed' && outcome.fault.kind === 'etcd' && outcome.fault.mayHaveRun)
