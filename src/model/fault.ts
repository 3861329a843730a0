import type { MemberId } from './member.js'

/** What went wrong, as data. Each kind has one exit code (see `exitCodeOf`). */
export type Fault = Readonly<
  | { kind: 'config'; option: string; problem: string }
  /** A preflight check failed; nothing was touched. */
  | { kind: 'refused'; check: string; problem: string }
  /** A check failed after this run had begun to touch members; nothing more was touched. */
  | { kind: 'stopped'; check: string; problem: string }
  /**
   * A call to etcd failed. `mayHaveRun`: etcd may have taken it, or may still be at it. `timedOut`: only our deadline
   * passed; else the connection was lost, and the member perhaps with it.
   */
  | {
      kind: 'etcd'
      call: string
      member: MemberId | undefined
      problem: string
      mayHaveRun: boolean
      timedOut: boolean
    }
  | { kind: 'backup'; path: string; problem: string }
  /** A file that should hold a snapshot does not, or cannot be read. */
  | { kind: 'archive'; path: string; problem: string }
  /** A restore or a drill went wrong on its way; what is served is as it was. */
  | { kind: 'restore'; problem: string }
  | { kind: 'interrupted'; by: string }
  | { kind: 'bug'; problem: string }
>

/** The only error this project throws on purpose; `cause` keeps the foreign error. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly fault: Fault

  constructor(fault: Fault, cause?: unknown) {
    super(describe(fault), cause === undefined ? undefined : { cause })
    this.fault = fault
  }
}

/** One sentence for a person. */
export function describe(fault: Fault): string {
  switch (fault.kind) {
    case 'config':
      return `${fault.option}: ${fault.problem}`
    case 'refused':
    case 'stopped':
    case 'restore':
    case 'bug':
      return fault.problem
    case 'etcd': {
      const unknown = fault.timedOut ? 'it may still be running there' : 'how far it came is not known'
      const outcome = fault.mayHaveRun ? ` (${unknown}; it is not sent again)` : ''
      return `${fault.call}: ${fault.problem}${outcome}`
    }
    case 'backup':
      return `backup to ${fault.path}: ${fault.problem}`
    case 'archive':
      return `${fault.path}: ${fault.problem}`
    case 'interrupted':
      return `interrupted by ${fault.by}`
  }
}

/** The fault behind any thrown value; what is not a `Failure` is a bug of ours. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Failure) return error.fault
  return { kind: 'bug', problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
