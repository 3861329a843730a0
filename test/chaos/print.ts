import type { DueFault, RunDraw, Target } from './draw.js'
import { endText } from './endText.js'
import type { Round } from './round.js'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

const targetText = (target: Target): string =>
  'nth' in target ? `${target.role} ${target.nth}` : target.role

/** `freeze busy forMs=500 @step 2+20`. */
function faultText({ kind, at, ...rest }: DueFault): string {
  const details = Object.entries(rest).map(([name, value]) =>
    typeof value === 'object' ? targetText(value) : `${name}=${value}`,
  )
  return [kind, ...details, `@${at.step === 0 ? 'start' : `step ${at.step}`}+${at.ms}`].join(' ')
}

/** What was drawn for a run, on one line. */
export function drawText({ cluster, megabytes, leader, local, flags, backupRoom, faults }: RunDraw): string {
  return [
    `${cluster.size}${cluster.learner ? '+1' : ''} ${cluster.suite} ${megabytes} MB`,
    `leader m${leader + 1}${leader === local ? '' : `, run at m${local + 1}`}`,
    flags.join(' '),
    ...(backupRoom === undefined ? [] : [`backup disk +${backupRoom / 1024} KiB`]),
    ...faults.map(faultText),
  ].join('; ')
}

export const repeatOf = ({ seed, run }: RunDraw): string =>
  `npm run chaos -- --seed ${seed} --first ${run} --runs 1`

/** The live line of a run. */
export function lineOf({ draw, faults, ended, violations, tookMs, longestGapMs }: Round): string {
  const fates = faults.map((fate, i) => `${draw.faults[i]?.kind}: ${fate}`).join(', ')
  const verdict =
    violations.length === 0
      ? 'ok'
      : `VIOLATION\n  - ${violations.join('\n  - ')}\n  repeat: ${repeatOf(draw)}`
  return [
    `seed ${draw.seed} run ${draw.run}: ${drawText(draw)}`,
    `${fates === '' ? 'no fault' : fates}`,
    ended.map(endText).join(' and '),
    `${seconds(tookMs)}, longest write gap ${seconds(longestGapMs)}`,
    verdict,
  ].join(' | ')
}

export function summaryOf(rounds: readonly Round[], tookMs: number): string {
  const violated = rounds.filter(round => round.violations.length > 0)
  const reached = rounds.flatMap(({ draw, faults }) =>
    draw.faults.filter((_, i) => faults[i] !== 'not reached').map(fault => fault.kind),
  )
  const worst = rounds.reduce((most, round) => Math.max(most, round.longestGapMs), 0)
  return [
    `${rounds.length} runs in ${seconds(tookMs)}, ${seconds(tookMs / Math.max(rounds.length, 1))} each; longest write gap ${seconds(worst)}`,
    'ends:',
    ...counted(rounds.flatMap(round => round.ended.map(endText))),
    'faults injected:',
    ...counted(reached),
    `violations: ${violated.length}`,
    ...violated.map(({ draw, violations }) => `  ${repeatOf(draw)}: ${violations[0]?.split('\n')[0]}`),
  ].join('\n')
}

function counted(words: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([word, count]) => `  ${String(count).padStart(5)}  ${word}`)
}
