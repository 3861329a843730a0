import type { Member } from '../model/member.js'
import type { RunReport } from '../model/report.js'
import { isInDoubt, type Size, type StepRecord } from '../model/step.js'

type Sizes = Readonly<{ member: Member; before: Size; after: Size | undefined }>

/**
 * A member's file before a Defragment and after it; undefined for a step that was none, or that did nothing anybody has
 * seen. One without an answer, or whose connection broke, is known by the last look, where the file is smaller.
 */
export function sizesOf({ kind, step, outcome }: StepRecord, { after }: RunReport): Sizes | undefined {
  if (kind !== 'defragment') return undefined
  const { member, size: before } = step
  if (outcome.kind === 'done') return { member, ...outcome.result }
  const last = after?.members.find(one => one.member.id === member.id)
  if (!isInDoubt(outcome) || last?.kind !== 'reachable') return undefined
  return last.status.dbSize < before.dbSize ? { member, before, after: last.status } : undefined
}

/** Bytes that all defragmentations of a run gave back; a member whose size afterwards is unknown counts 0. */
export const reclaimedBytes = (report: RunReport): number =>
  report.steps.reduce((sum, record) => {
    const { before, after } = sizesOf(record, report) ?? {}
    return before === undefined || after === undefined ? sum : sum + before.dbSize - after.dbSize
  }, 0)
