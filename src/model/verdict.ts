import type { Fault } from './fault.js'

/** How a run ended. */
export type Verdict = Readonly<
  | { kind: 'completed' }
  | { kind: 'skipped'; check: string; because: string }
  | { kind: 'failed'; fault: Fault }
>

/** Codes of sysexits(3): systemd shows the low ones under misleading names. */
export const exitCodes = {
  config: 78, // EX_CONFIG
  refused: 69, // EX_UNAVAILABLE
  stopped: 76, // EX_PROTOCOL
  etcd: 76,
  backup: 73, // EX_CANTCREAT
  archive: 65, // EX_DATAERR
  restore: 76,
  interrupted: 75, // EX_TEMPFAIL
  bug: 70, // EX_SOFTWARE
} satisfies Record<Fault['kind'], number>

/**
 * Of `holds-etcd`, which the units skip by. Not 1 as elsewhere: Node ends with that, or another below 14, where it cannot
 * even begin (nodejs.org/api/process.html, "Exit codes"), and from 126 on it is the shell that speaks.
 */
export const NO_ETCD = 100

export const exitCodeOf = (verdict: Verdict): number =>
  verdict.kind === 'failed' ? exitCodes[verdict.fault.kind] : 0

/** How a run ended in two or three words, as far as its exit code tells. */
export const verdictNamed = (exitCode: number): string =>
  `${names[exitCode] ?? 'failed'}${exitCode === 0 ? '' : ` (exit code ${exitCode})`}`

const names: Readonly<Record<number, string>> = {
  0: 'completed or skipped',
  69: 'refused',
  70: 'failed by a bug',
  73: 'failed in its backup',
  75: 'interrupted',
  76: 'failed in a step',
  78: 'refused its configuration',
}

/** What each exit code means, for --help and the documentation. */
export const exitCodeMeanings: readonly (readonly [number, string])[] = [
  [0, 'completed, or skipped with good reason (not the leader, a single member, another run, a pause)'],
  [65, 'a backup is damaged, is none, or cannot be read'],
  [69, 'a preflight check failed or etcd cannot be reached; nothing was touched'],
  [70, 'a bug in etcd-defrag'],
  [73, 'the backup failed, or could never be put in place; the previous one is still there'],
  [75, 'interrupted by a signal, a pause or the loss of the lock; the step under way was finished or undone'],
  [
    76,
    'a step failed, the cluster was no longer healthy in mid-run, members or alarms had to be left as they are, or a restore or a drill failed',
  ],
  [78, 'a flag, a variable or the configuration file is wrong; nothing was run'],
  [NO_ETCD, 'only of holds-etcd: this node holds no etcd'],
]
