import type { Action, StepKind, StepOf, StepRecord } from '../model/step.js'
import type { Actor, Context } from './actor.js'
import { defragment } from './defragment.js'
import { disarm } from './disarm.js'
import { moveLeader } from './moveLeader.js'
import { snapshot } from './snapshot.js'
import { trim } from './trim.js'

/** One actor a step: the compiler asks for the row of a new kind. */
const actors: { [K in StepKind]: Actor<K> } = { defragment, moveLeader, disarm, snapshot, trim }

/** Performs the decided step and records what came of it. */
export async function perform(
  decision: Extract<Action, { kind: 'do' }>,
  context: Context,
): Promise<StepRecord> {
  const { step, because } = decision
  const { world } = context
  world.tell({ event: 'stepStarted', step, because })
  const startedAt = world.now()
  const outcome = await actOut(step.kind, step, context)
  // Step and outcome come from the same row of `actors`, which the compiler cannot follow.
  const record = {
    kind: step.kind,
    step,
    because,
    startedAt,
    tookMs: world.now() - startedAt,
    outcome,
  } as StepRecord
  world.tell({ event: 'stepEnded', record })
  return record
}

const actOut = <K extends StepKind>(kind: K, step: StepOf<K>, context: Context) => actors[kind](step, context)
