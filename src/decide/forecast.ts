import type { Pace } from '../model/coordination.js'
import { labelOf, type Reachable } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import type { Circumstances, Progress, Stall } from '../model/step.js'
import { recordsOf } from './progress.js'

/** A slow disk's pace, for as long as none was measured: 15 to 18 s for 0.6 GiB were, with writes held to 45 MB/s. */
const ASSUMED_BYTES_PER_MS = 40_000
/** Of fewer bytes in use, opening and renaming the file is most of the time. */
const TELLING_BYTES = 16 * 1024 * 1024

/**
 * How this run's members did, for this run's others and for the next one. The steps of a plan took no time; a call
 * without an answer took longer than it was waited for.
 */
export const pacesOf = (progress: Progress): readonly Pace[] =>
  recordsOf(progress, 'defragment').flatMap(({ step, outcome, tookMs }) => {
    if (outcome.kind === 'unanswered')
      return [{ member: step.member.id, bytes: step.size.dbSizeInUse, tookMs }]
    if (outcome.kind !== 'done' || tookMs === 0) return []
    const { before, after } = outcome.result
    return [{ member: step.member.id, bytes: after?.dbSize ?? before.dbSizeInUse, tookMs }]
  })

/**
 * How long the member will be out: its bytes in use at the slowest pace of this run and its own of the last one, since
 * disks differ; else at the slowest of the last run, else at a slow disk's.
 */
export function stallOf(
  { member, status }: Reachable,
  progress: Progress,
  { earlier }: Pick<Circumstances, 'earlier'>,
): Stall {
  const slowest = (paces: readonly Pace[]): number =>
    Math.min(...paces.filter(p => p.bytes >= TELLING_BYTES).map(p => p.bytes / Math.max(1, p.tookMs)))
  const now = slowest(pacesOf(progress))
  const own = slowest(earlier.filter(pace => pace.member === member.id))
  const all = slowest(earlier)
  const at = (rate: number, basis: Stall['basis']): Stall => ({
    ms: Math.ceil(status.dbSizeInUse / rate),
    basis,
  })
  if (Number.isFinite(own) && own <= now) return at(own, 'lastRun')
  if (Number.isFinite(now)) return at(now, 'thisRun')
  return Number.isFinite(all) ? at(all, 'lastRun') : at(ASSUMED_BYTES_PER_MS, 'assumed')
}

/** Why a member is not defragmented at all; undefined when its stall is one that can be borne. */
export function tooLongOut(
  subject: Reachable,
  progress: Progress,
  policy: Policy,
  circumstances: Pick<Circumstances, 'earlier'>,
): string | undefined {
  const stall = stallOf(subject, progress, circumstances)
  if (stall.ms <= policy.maxStallMs) return undefined
  const basis = {
    thisRun: "at the slowest pace of this run's members",
    lastRun: 'at the pace of the last run',
    assumed: "at a slow disk's pace, since none was measured yet",
  }[stall.basis]
  return `member ${labelOf(subject.member)} would be out for about ${stall.ms < 1000 ? `${stall.ms} ms` : `${Math.round(stall.ms / 1000)} s`} (${subject.status.dbSizeInUse} bytes in use, ${basis}), longer than the ${policy.maxStallMs / 1000} s of --max-stall; raise that for one run at a quiet hour, which measures it anew`
}
