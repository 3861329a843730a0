import pc from 'picocolors'
import {
  alarmsOf,
  complaintsOf,
  isReachable,
  lagOf,
  leaderOf,
  leftAlone,
  toleranceOf,
  voters,
} from '../decide/cluster.js'
import type { Plan } from '../decide/plan.js'
import { describe } from '../model/fault.js'
import type { ClusterView, MemberView } from '../model/member.js'
import type { LeftAlone, RunReport } from '../model/report.js'
import type { Step } from '../model/step.js'
import type { Verdict } from '../model/verdict.js'
import {
  bar,
  bytes,
  type Column,
  memberName,
  nameOf,
  percent,
  sentence,
  shown,
  span,
  table,
} from './format.js'
import { reclaimedBytes } from './totals.js'

export type Colors = ReturnType<typeof pc.createColors>
export const colorsFor = (enabled: boolean): Colors => pc.createColors(enabled)

const statusColumns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'ID' },
  { title: 'ENDPOINT' },
  { title: 'VERSION' },
  { title: 'ROLE' },
  { title: 'DB SIZE', align: 'right' },
  { title: 'IN USE', align: 'right' },
  { title: 'RECLAIMABLE', align: 'right' },
  { title: '' },
  { title: 'LAG', align: 'right' },
  { title: 'ALARMS' },
  { title: 'HEALTH' },
]

/** What a narrow terminal can do without, least needed first. */
const expendable = ['ENDPOINT', 'ID', 'VERSION', 'LAG']

/** The members as a table no wider than `width` where that can be, with what is wrong below it. */
export function statusText(
  view: ClusterView,
  quota: number | undefined,
  color: Colors,
  width = Infinity,
): string {
  const rows = view.members.map(m => statusRow(view, m))
  const isTooWide = (kept: readonly string[]) =>
    table(...withColumns(kept, rows)).some(line => line.length > width)
  let kept = statusColumns.map(column => column.title)
  for (const title of expendable) if (isTooWide(kept)) kept = kept.filter(other => other !== title)
  const isHealthy = (row: number) => rows[row]?.at(-1)?.startsWith('ok') ?? false
  const lines = table(...withColumns(kept, rows), (cell, row, column) => {
    if (row < 0) return color.bold(cell)
    switch (kept[column]) {
      case 'HEALTH':
        return isHealthy(row) ? color.green(cell) : color.red(cell)
      case 'ALARMS':
        return cell.trim() === '-' ? cell : color.red(cell)
      case 'RECLAIMABLE':
      case '':
        return color.yellow(cell)
      case 'ROLE':
        return cell.startsWith('leader') ? color.cyan(cell) : cell
      default:
        return cell
    }
  })
  const complaints = view.members.flatMap(m =>
    complaintsOf(view, m).map(c => `${memberName(m.member)}: ${shown(c, 400)}`),
  )
  return [
    headline(view, quota),
    '',
    ...lines,
    ...(complaints.length === 0 ? [] : ['', ...complaints.map(line => color.red(line))]),
    ...(view.local === undefined
      ? []
      : ['', color.dim('* the local member: the one behind the first endpoint')]),
  ].join('\n')
}

const withColumns = (titles: readonly string[], rows: readonly (readonly string[])[]) =>
  [
    statusColumns.filter(column => titles.includes(column.title)),
    rows.map(row => row.filter((_, i) => titles.includes(statusColumns[i]?.title ?? ''))),
  ] as const

function statusRow(view: ClusterView, m: MemberView): string[] {
  const { member } = m
  const name = memberName(member) + (member.id === view.local ? ' *' : '')
  const alarms = alarmsOf(view, member.id).join(',') || '-'
  if (!isReachable(m)) {
    const url = shown(member.clientUrls[0] ?? '-', 60)
    return [
      name,
      member.id,
      url,
      '-',
      member.learner ? 'learner' : '-',
      '-',
      '-',
      '-',
      '',
      '-',
      alarms,
      'unreachable',
    ]
  }
  const { status, read } = m
  const free = status.dbSize - status.dbSizeInUse
  const role = member.learner ? 'learner' : status.leader === member.id ? 'leader' : 'follower'
  const health =
    complaintsOf(view, m).length > 0
      ? 'unhealthy'
      : read.kind === 'served'
        ? `ok, read ${span(read.tookMs)}`
        : 'ok'
  return [
    name,
    member.id,
    shown(m.endpoint, 60),
    shown(status.version, 20),
    role,
    bytes(status.dbSize),
    bytes(status.dbSizeInUse),
    `${bytes(free)} ${String(percent(free, status.dbSize)).padStart(3)} %`,
    bar(free / status.dbSize, 10),
    String(lagOf(view, m)),
    alarms,
    health,
  ]
}

function headline(view: ClusterView, quota: number | undefined): string {
  const { further, quorum } = toleranceOf(view)
  const count = voters(view).length
  const learners = view.members.length - count
  const bear =
    further < 0
      ? 'no quorum now'
      : `${further} further ${further === 1 ? 'failure' : 'failures'} can be borne`
  return [
    `cluster ${view.clusterId}`,
    `${count} voting ${count === 1 ? 'member' : 'members'}${learners === 0 ? '' : ` and ${learners} learning`}`,
    `quorum ${quorum}, ${bear}`,
    ...(quota === undefined ? [] : [`quota ${bytes(quota)}`]),
  ].join(' · ')
}

/** What a step does, in a few words. */
export function stepText(step: Step): string {
  switch (step.kind) {
    case 'defragment':
      return `defragment ${memberName(step.member)}`
    case 'moveLeader':
      return `move leadership from ${memberName(step.from)} to ${orList(step.candidates.map(memberName))}`
    case 'snapshot':
      return `back up ${memberName(step.from)} to ${step.path}`
    case 'trim':
      return `trim the file system of ${step.path}`
  }
}

const orList = (names: readonly string[]): string =>
  names.length === 1
    ? (names[0] ?? '')
    : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}, drawn at random`

export function planText(view: ClusterView, plan: Plan, warnings: readonly string[], color: Colors): string {
  const steps = plan.steps.flatMap(({ step, because }, i) => [
    `${String(i + 1).padStart(2)}. ${color.bold(stepText(step))}${sizesOf(view, step)}`,
    color.dim(`    ${sentence(because)}`),
  ])
  const alone = plan.steps.length === 0 ? [] : leftAlone(view)
  const leader = leaderOf(view)
  return [
    `${headline(view, undefined)} · ${leader === undefined ? 'no leader' : `leader ${memberName(leader)}`}`,
    '',
    ...(steps.length === 0 ? [] : [...steps, '']),
    ...alone.map(one => color.yellow(aloneText(one))),
    ...warnings.map(warning => color.yellow(sentence(warning))),
    plan.verdict.kind === 'completed'
      ? 'Nothing was touched; a run now would do the above.'
      : `${steps.length === 0 ? 'A run now would do nothing' : 'A run now would end after this'}: ${verdictText(plan.verdict, color)}`,
  ].join('\n')
}

const aloneText = ({ name, member, because }: LeftAlone): string =>
  `left alone: ${shown(name || member)}, ${shown(because, 300)}`

function sizesOf(view: ClusterView, step: Step): string {
  if (step.kind !== 'defragment') return ''
  const now = view.members.find(m => m.member.id === step.member.id)
  return now?.kind === 'reachable'
    ? ` · ${bytes(now.status.dbSize)} → about ${bytes(now.status.dbSizeInUse)}`
    : ''
}

export function verdictText(verdict: Verdict, color: Colors): string {
  switch (verdict.kind) {
    case 'completed':
      return color.green('completed')
    case 'skipped':
      return `${color.yellow('skipped')}: ${sentence(verdict.because)}`
    case 'failed':
      return verdict.fault.kind === 'interrupted'
        ? color.yellow(describe(verdict.fault))
        : `${color.red('failed')}: ${sentence(describe(verdict.fault))}`
  }
}

/** The end of a run for people: before, after, reclaimed, backup, duration. */
export function summaryText(report: RunReport, color: Colors): string {
  const rows: string[][] = []
  const notes: string[] = []
  for (const { kind, step, outcome } of report.steps) {
    if (outcome.kind !== 'done') continue
    if (kind === 'defragment') {
      const { before, after } = outcome.result
      const freed = after === undefined ? 0 : before.dbSize - after.dbSize
      rows.push([
        memberName(step.member),
        bytes(before.dbSize),
        after === undefined ? 'unknown' : bytes(after.dbSize),
        `${bytes(freed)} ${String(percent(freed, before.dbSize)).padStart(3)} %`,
        bar(freed / before.dbSize, 10),
      ])
    }
    if (kind === 'moveLeader')
      notes.push(`leader   ${memberName(step.from)} → ${nameOf(report.after, outcome.result.to.id)}`)
    if (kind === 'snapshot') {
      const { path, snapshotBytes, archiveBytes, sha256 } = outcome.result
      notes.push(
        `backup   ${path}, ${bytes(snapshotBytes)} in ${bytes(archiveBytes)}, verified, SHA-256 ${sha256.slice(0, 16)}…`,
      )
    }
    if (kind === 'trim') notes.push(`trim     ${sentence(outcome.result.said)}`)
  }
  const columns: Column[] = [
    { title: 'MEMBER' },
    { title: 'BEFORE', align: 'right' },
    { title: 'AFTER', align: 'right' },
    { title: 'RECLAIMED', align: 'right' },
    { title: '' },
  ]
  const sizes = table(columns, rows, (cell, row, column) =>
    row < 0 ? color.bold(cell) : column > 2 ? color.green(cell) : cell,
  )
  const total =
    rows.length === 0
      ? ''
      : `, ${bytes(reclaimedBytes(report.steps))} reclaimed from ${rows.length} ${rows.length === 1 ? 'member' : 'members'}`
  return [
    ...(rows.length === 0 ? [] : ['', ...sizes, '']),
    ...notes,
    ...(report.steps.length === 0 ? [] : report.leftAlone.map(one => color.yellow(aloneText(one)))),
    ...report.warnings.map(warning => color.yellow(`warning: ${sentence(warning)}`)),
    `${verdictText(report.verdict, color)} · ${span(report.endedAt - report.startedAt)}${total}`,
  ].join('\n')
}
