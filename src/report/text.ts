import pc from 'picocolors'
import { alarmsOf, complaintsOf, isReachable, lagOf, toleranceOf, voters } from '../decide/cluster.js'
import { describe } from '../model/fault.js'
import type { ClusterView, MemberView } from '../model/member.js'
import type { LeftAlone, RunReport } from '../model/report.js'
import type { Step, StepKind } from '../model/step.js'
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
import { reclaimedBytes, sizesOf } from './totals.js'

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

export function headline(view: ClusterView, quota: number | undefined): string {
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
    case 'disarm':
      return `disarm NOSPACE of ${step.members.map(memberName).join(', ')}`
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

export const aloneText = ({ name, member, because }: LeftAlone): string =>
  `left alone: ${shown(name || member)}, ${shown(because, 300)}`

/** What comes of the step under way when a run is broken off; etcd would carry on with the first two anyway. */
export const finishing: Readonly<Record<StepKind | 'none', string>> = {
  defragment: 'etcd does not stop a defragmentation, so its end is waited for; then the run ends',
  moveLeader: 'the move of the leadership is waited for; then the run ends',
  disarm: 'the alarms are taken back; then the run ends',
  snapshot: 'the backup is broken off, the previous one stays',
  trim: 'fstrim is ended',
  none: 'the run ends here',
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
  for (const record of report.steps) {
    const { kind, step, outcome } = record
    const files = sizesOf(record, report)
    if (files !== undefined) {
      const { before, after } = files
      const freed = after === undefined ? 0 : before.dbSize - after.dbSize
      rows.push([
        memberName(files.member),
        bytes(before.dbSize),
        after === undefined ? 'unknown' : bytes(after.dbSize),
        `${bytes(freed)} ${String(percent(freed, before.dbSize)).padStart(3)} %`,
        bar(freed / before.dbSize, 10),
      ])
    }
    if (outcome.kind !== 'done') continue
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
      : `, ${bytes(reclaimedBytes(report))} reclaimed from ${rows.length} ${rows.length === 1 ? 'member' : 'members'}`
  return [
    ...(rows.length === 0 ? [] : ['', ...sizes, '']),
    ...notes,
    ...(report.steps.length === 0 ? [] : report.leftAlone.map(one => color.yellow(aloneText(one)))),
    ...report.warnings.map(warning => color.yellow(`warning: ${sentence(warning)}`)),
    `${verdictText(report.verdict, color)} · ${span(report.endedAt - report.startedAt)}${total}`,
  ].join('\n')
}
