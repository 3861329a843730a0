import type { MemberId } from './member.js'

/** An operator's word that nothing is to be run for a while. Times are ms since the epoch. */
export type Pause = Readonly<{ by: string; since: number; until: number; reason: string }>

/** A time as RFC 3339, to the second. */
export const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

/** How long a defragmentation of so many bytes in use took a member. */
export type Pace = Readonly<{ member: MemberId; bytes: number; tookMs: number }>

/** The last run that did something, as it is left in etcd for the next. Times are ms since the epoch. */
export type LastRun = Readonly<{
  /** The host it ran on. */
  by: string
  endedAt: number
  verdict: 'completed' | 'failed'
  /** The exit code that went with it, and the reason of a failure. */
  exitCode: number
  reason: string | undefined
  /** Where its verified backup is, on that host, and how many members it left out. */
  backup: string | undefined
  leftAlone: number
  paces: readonly Pace[]
}>

/** What runs and operators left in etcd, under the prefix of ours. */
export type Memory = Readonly<{
  /** Who holds the lock now. */
  holder: string | undefined
  pause: Pause | undefined
  lastRun: LastRun | undefined
  /** Values that cannot be understood, and so do not count. */
  problems: readonly string[]
}>

export const nothingRemembered: Memory = {
  holder: undefined,
  pause: undefined,
  lastRun: undefined,
  problems: [],
}

/** Whether this run is the only one at this cluster on all hosts. */
export type ClusterLock = Readonly<
  | {
      kind: 'held'
      /** Aborted as soon as the lock is known to be lost; its reason says how. */
      lost: AbortSignal
      /** Asks etcd whether it is still ours, and aborts `lost` if not. */
      confirm(): Promise<void>
      /** Gives it back; resolves to what went wrong, in which case it expires by itself. */
      release(): Promise<string | undefined>
    }
  /** `since`: ms since the epoch, by the holder's clock. */
  | { kind: 'busy'; by: string; since: number | undefined }
  /** `refused`: etcd takes no writes (NOSPACE) or none from us (permissions). `unanswered`: anything else. */
  | { kind: 'none'; problem: string; because: 'refused' | 'unanswered' }
>

export type LockRequest = Readonly<{
  /** How long another holder is waited for. */
  waitMs: number
  /** No other run of this host can live (the host lock is ours), so a lock of this host is a dead run's: it is taken over. */
  isOnlyOneHere: boolean
  /** After the last renewal that etcd has answered. */
  ttlMs: number
  /** Once, when there is somebody to wait for. */
  waiting(by: string): void
}>

/** What outlives a run, in etcd. Every method but `lock` throws `Failure` (`etcd`). */
export type Coordination = Readonly<{
  read(): Promise<Memory>
  /** Rejects only when `signal` is aborted. */
  lock(request: LockRequest, signal: AbortSignal): Promise<ClusterLock>
  record(run: LastRun): Promise<void>
  pause(pause: Pause): Promise<void>
  /** Whether there was a pause to end. */
  resume(): Promise<boolean>
}>
