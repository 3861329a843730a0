import { faultOf } from '../model/fault.js'
import type { ClusterView } from '../model/member.js'
import type { Outcome, StepKind, StepOf } from '../model/step.js'
import type { World } from '../model/world.js'

export type Context = Readonly<{ world: World; view: ClusterView; stop: AbortSignal }>

/** Performs one step. Throws only when `stop` interrupted it and all it had begun is undone. */
export type Actor<K extends StepKind> = (step: StepOf<K>, context: Context) => Promise<Outcome<K>>

/** The outcome of a call to etcd that threw: its end is unknown if only our deadline passed, else it failed. */
export function broken(error: unknown): Outcome<never> & { kind: 'unanswered' | 'failed' } {
  const fault = faultOf(error)
  return {
    kind: fault.kind === 'etcd' && fault.mayHaveRun && fault.timedOut ? 'unanswered' : 'failed',
    fault,
  }
}
