import type { ClusterView, MemberId } from './member.js'
import type { Progress } from './step.js'
import type { Verdict } from './verdict.js'

/** A member that a run does not defragment on purpose. */
export type LeftAlone = Readonly<{ member: MemberId; name: string; because: string; isLearner: boolean }>

/** All that one run saw and did; every output is made from it. Times are ms since the epoch. */
export type RunReport = Readonly<{
  startedAt: number
  endedAt: number
  verdict: Verdict
  steps: Progress
  /** The cluster before the first step; undefined when it was never seen. */
  before: ClusterView | undefined
  /** The cluster at the last look. */
  after: ClusterView | undefined
  leftAlone: readonly LeftAlone[]
  warnings: readonly string[]
}>
