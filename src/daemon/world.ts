import type { DaemonEvent, Note, Run, Settings } from '../model/daemon.js'
import type { Zone } from './zone.js'

/** The world outside of the daemon. Nothing here throws or rejects but `reread`. */
export type DaemonWorld = Readonly<{
  now(): number // ms since the epoch
  /** Ms, by a clock that nobody sets and that goes on while the machine sleeps. */
  steadily(): number
  /** Calls `then` after so many ms, and gives what takes that back. */
  after(ms: number, then: () => void): () => void
  start(words: readonly string[]): Run
  /** From now on local time is that of these settings. */
  zoneOf(settings: Settings): Zone
  /** Rejects with a `Failure` where the configuration is broken. */
  reread(): Promise<Settings>
  /** Whether the program on disk is another one than when this process began. */
  isReplaced(): Promise<boolean>
  remember(stateDir: string, note: Note): Promise<void>
  tell(event: DaemonEvent): void
  /** Tells the service manager (sd_notify(3)); resolves when it was told, or cannot be. */
  notify(state: Readonly<Record<string, string>>): Promise<void>
  monotonicUs(): bigint
  /** Which start of the machine this is; undefined where that is not known. */
  bootId: string | undefined
  /** How long the service manager waits for a sign of life; undefined where it does not. */
  watchdogMs: number | undefined
  /** Whoever started it starts it again when it ends. */
  isKept: boolean
  version: string
}>
