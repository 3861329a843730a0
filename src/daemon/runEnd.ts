import type { RunEnd } from '../model/daemon.js'
import { exitCodes, verdictNamed } from '../model/verdict.js'

/** How a run ended in a few words, as far as its process tells. */
export function verdictOf(end: RunEnd): string {
  switch (end.kind) {
    case 'exited':
      return verdictNamed(end.code)
    case 'killed':
      return `killed by ${end.signal}`
    case 'unstarted':
      return `could not be started (${end.problem})`
  }
}

/**
 * The daemon's exit code after its last run, which the signals of `passedOn` reached. A run that was asked to end and did is
 * what the daemon was asked for, also where the signal came before its handlers were there; any other end is told on.
 */
export function leavingCode(end: RunEnd, passedOn: readonly string[]): number {
  if (end.kind === 'killed') return passedOn.includes(end.signal) ? 0 : exitCodes.interrupted
  if (end.kind === 'unstarted') return exitCodes.bug
  return end.code === exitCodes.interrupted ? 0 : end.code
}
