import type { Progress } from '../model/step.js'

/** Bytes that all defragmentations of a run gave back; a member whose size afterwards is unknown counts 0. */
export const reclaimedBytes = (steps: Progress): number =>
  steps.reduce((sum, { kind, outcome }) => {
    if (kind !== 'defragment' || outcome.kind !== 'done' || outcome.result.after === undefined) return sum
    return sum + outcome.result.before.dbSize - outcome.result.after.dbSize
  }, 0)
