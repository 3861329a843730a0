import type { Fault } from '../model/fault.js'
import type { ClusterView, MemberId, Reachable } from '../model/member.js'
import type { Progress, RecordOf, Size, StepKind, StepOf } from '../model/step.js'
import { find, isReachable, processStartOf, voters } from './cluster.js'

export const recordsOf = <K extends StepKind>(progress: Progress, kind: K): readonly RecordOf<K>[] =>
  progress.filter((record): record is RecordOf<K> => record.kind === kind)

/** Voters this run can reach and has not sent a Defragment. */
export function pendingMembers(view: ClusterView, progress: Progress): readonly Reachable[] {
  const sent = new Set<MemberId>(recordsOf(progress, 'defragment').map(record => record.step.member.id))
  return voters(view)
    .filter(isReachable)
    .filter(m => !sent.has(m.member.id))
}

/**
 * A Defragment that etcd answered with an error, whose connection was lost (and the member perhaps with it), or that
 * timed out and left the file as large as it was: no further member is defragmented after it.
 */
export function failedDefragment(view: ClusterView, progress: Progress): Fault | undefined {
  for (const { step, outcome } of recordsOf(progress, 'defragment')) {
    if (outcome.kind === 'failed') return outcome.fault
    if (outcome.kind === 'unanswered' && !wentOn(progress, step) && !isOver(view, step)) return outcome.fault
  }
  return undefined
}

/** To a next member, which a run does only after this one's Defragment was over. */
const wentOn = (progress: Progress, step: StepOf<'defragment'>): boolean =>
  progress.findLast(({ kind }) => kind === 'defragment' || kind === 'moveLeader')?.step !== step

/** Whether it is over hangs on whether the member has started anew, and that cannot be told just now. */
export function isUntold(
  view: ClusterView,
  progress: Progress,
  { step, outcome }: RecordOf<'defragment'>,
): boolean {
  const now = find(view, step.member.id)
  if (outcome.kind !== 'unanswered' || wentOn(progress, step)) return false
  if (now === undefined || !isReachable(now)) return false
  const { processStart, size } = step
  const isTold = processStart === undefined || processStartOf(now) !== undefined
  return !isTold && isCompact(size) && now.status.dbSize >= size.dbSize
}

/** The file is smaller than it was; or it had nothing to give back, and the member is known not to have started anew since. */
function isOver(view: ClusterView, { member, size, processStart }: StepOf<'defragment'>): boolean {
  const now = find(view, member.id)
  if (now === undefined || !isReachable(now)) return false
  if (now.status.dbSize < size.dbSize) return true
  const isSameProcess = processStart !== undefined && processStartOf(now) === processStart
  return isCompact(size) && isSameProcess
}

/** A defragmentation would hardly make it smaller. */
const isCompact = ({ dbSize, dbSizeInUse }: Size): boolean => dbSize - dbSizeInUse < dbSize / 10
