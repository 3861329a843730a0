import type { Coordination, Pause } from './coordination.js'
import type { ClusterView, Member, MemberId, MemberView } from './member.js'
import type { RunReport } from './report.js'
import type { Action, Step, StepRecord } from './step.js'

/** The blobs of one Snapshot call, at the pace they are read; `close` ends the call on the server too. */
export type SnapshotStream = Readonly<{
  /** Buffers of up to 32 KiB; throws `Failure` when the stream breaks off. */
  blobs: AsyncIterable<Buffer>
  /** What the member said of itself right before. */
  origin: Readonly<{ revision: number; etcdVersion: string; storageVersion: string | null }>
  close(): void
}>

/** The store. Every method throws `Failure` with a fault of kind `etcd`, except `probe` and `observe`. */
export type Etcd = Readonly<{
  /** Throws `Failure` (`refused`) only while no member list was ever had. */
  observe(signal: AbortSignal): Promise<ClusterView>
  probe(member: Member): Promise<MemberView>
  /** Sent once, never repeated: etcd carries on whatever the client does. */
  defragment(member: Member): Promise<void>
  moveLeader(from: Member, to: MemberId): Promise<void>
  /** Takes the member's NOSPACE alarm back. */
  disarm(member: Member): Promise<void>
  /** Shows that etcd takes writes again, and leaves no key behind. */
  proveWrite(): Promise<void>
  snapshot(from: Member, signal: AbortSignal): Promise<SnapshotStream>
  close(): void
}>

/** Whether this run is the only one on this host; `by` is the process id of the other. */
export type HostLock = Readonly<
  | { kind: 'held'; lost: AbortSignal; release(): Promise<void> }
  | { kind: 'busy'; by: string }
  | { kind: 'none'; problem: string }
>

export type ExecResult = Readonly<{ exitCode: number; stdout: string; stderr: string }>
/** Runs a program to its end; rejects when it cannot be started or `signal` aborts it. */
export type Exec = (command: string, args: readonly string[], signal: AbortSignal) => Promise<ExecResult>

export type Phase = 'snapshot' | 'compress' | 'verify'

/** What happens, as it happens; logs, the terminal and tests subscribe to it. */
export type Event = Readonly<
  /** `notes`: what stood in the way of finding out more about this node's etcd. */
  | { event: 'started'; endpoints: readonly string[]; notes: readonly string[] }
  | { event: 'decided'; action: Action }
  | { event: 'waiting'; because: string }
  | { event: 'stepStarted'; step: Step; because: string }
  /** `of` is undefined where the end is not known. */
  | { event: 'stepProgress'; step: Step; phase: Phase; bytes: number; of: number | undefined }
  | { event: 'stepEnded'; record: StepRecord }
  | { event: 'interrupting'; by: string; during: Step | undefined }
  | { event: 'ended'; report: RunReport }
>

/** Everything outside of the process that a run uses. Files are used directly. */
export type World = Readonly<{
  etcd: Etcd
  coordination: Coordination
  /** The pause of this node. Throws `Failure` (`config`) where it cannot be understood. */
  nodePause(): Promise<Pause | undefined>
  now(): number // ms since the epoch
  sleep(ms: number): Promise<void>
  /** As Math.random. */
  random(): number
  exec: Exec
  /** This host's name. */
  host: string
  /** This program and its version: `etcd-defrag 0.1.0`. */
  tool: string
  /** One holder a cluster and host. */
  lock(clusterId: string, waitMs: number, signal: AbortSignal): Promise<HostLock>
  tell(event: Event): void
}>
