import type { Retention } from './retention.js'

/** What the operator wants of a run; made once from the configuration, then frozen. */
export type Policy = Readonly<{
  /** `backup`: no more than a snapshot, of whatever member the local one is. */
  job: 'nightly' | 'backup'
  forceSingle: boolean
  forceUnhealthy: boolean
  forceNonleader: boolean
  forceVersion: boolean
  forceDisk: boolean
  /** How long another run is waited for; 0 leaves at once. */
  waitMs: number
  /** Keeps other hosts' runs away with a lock in etcd, and leaves a record of this one there. */
  coordinates: boolean
  /** A run that completed more recently makes this one needless; 0 never. */
  minIntervalMs: number
  /** Between one member and the next. */
  pauseMs: number
  /** A member that started more recently is not defragmented yet. */
  minUptimeMs: number
  /** A member that would be out for longer is not defragmented. */
  maxStallMs: number
  /** Takes NOSPACE alarms back that a run has resolved. */
  disarms: boolean
  /** Path of the archive; undefined with --no-backup. */
  backupPath: string | undefined
  /** Which earlier archives are kept beside it. */
  retention: Retention
  /** The local member's data directory. */
  dataDir: string
  trims: boolean
  /** How far a member's applied index may be behind the leader's commit index and still count as caught up. */
  maxLag: bigint
  /** Attempts at moving leadership in one run, good and bad. */
  maxMoves: number
  /** Looks in a row at a cluster at rest before the next step, and how long it must have been so after a call without an answer. */
  calmLooks: number
  calmAfterDoubtMs: number
  /** How long members may take to be ready again after a step. */
  settleTimeoutMs: number
}>
