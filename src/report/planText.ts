import { leaderOf } from '../decide/cluster.js'
import type { Plan } from '../decide/plan.js'
import type { ClusterView } from '../model/member.js'
import type { Stall, Step } from '../model/step.js'
import { bytes, memberName, sentence, span } from './format.js'
import { aloneText, type Colors, headline, stepText, verdictText } from './text.js'

/** What a run would do now, step by step and why. */
export function planText(view: ClusterView, plan: Plan, warnings: readonly string[], color: Colors): string {
  const steps = plan.steps.flatMap(({ step, because }, i) => [
    `${String(i + 1).padStart(2)}. ${color.bold(stepText(step))}${sizesOf(view, step)}`,
    color.dim(`    ${sentence(because)}`),
  ])
  const leader = leaderOf(view)
  return [
    `${headline(view, undefined)} · ${leader === undefined ? 'no leader' : `leader ${memberName(leader)}`}`,
    '',
    ...(steps.length === 0 ? [] : [...steps, '']),
    ...plan.leftAlone.map(one => color.yellow(aloneText(one))),
    ...warnings.map(warning => color.yellow(sentence(warning))),
    plan.verdict.kind === 'completed'
      ? 'Nothing was touched; a run now would do the above.'
      : `${steps.length === 0 ? 'A run now would do nothing' : 'A run now would end after this'}: ${verdictText(plan.verdict, color)}`,
  ].join('\n')
}

function sizesOf(view: ClusterView, step: Step): string {
  if (step.kind !== 'defragment') return ''
  const now = view.members.find(m => m.member.id === step.member.id)
  return now?.kind === 'reachable'
    ? ` · ${bytes(now.status.dbSize)} → about ${bytes(now.status.dbSizeInUse)} · out for about ${span(step.stall.ms)}, ${bases[step.stall.basis]}`
    : ''
}

const bases: Readonly<Record<Stall['basis'], string>> = {
  thisRun: 'as the slowest of this run',
  lastRun: 'as in the last run',
  assumed: 'on a slow disk',
}
