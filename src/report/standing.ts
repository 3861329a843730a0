import { pausedBy } from '../decide/admission.js'
import type { Memory, Pause } from '../model/coordination.js'
import { sentence, shown, span } from './format.js'
import type { Colors } from './text.js'

/** What holds runs off or away, and how the last one went. */
export type Standing = Readonly<{ memory: Memory; nodePause: Pause | undefined; now: number }>

/** Lines for people, none where there is nothing to tell. */
export function standingText({ memory, nodePause, now }: Standing, color: Colors): readonly string[] {
  const { lastRun, holder, problems } = memory
  const pauses = [pausedBy(nodePause, 'node', now), pausedBy(memory.pause, 'cluster', now)]
  const lines = [
    ...pauses.flatMap(paused => (paused === undefined ? [] : [color.yellow(sentence(paused.because))])),
    ...(holder === undefined ? [] : [`a run is at work: ${shown(holder, 100)}`]),
    ...(lastRun === undefined
      ? []
      : [
          `last run: ${lastRun.verdict} ${span(Math.max(0, now - lastRun.endedAt))} ago on ${shown(lastRun.by)}${lastRun.backup === undefined ? ', without a backup' : `, backup there at ${shown(lastRun.backup, 100)}`}${lastRun.reason === undefined ? '' : `: ${sentence(lastRun.reason)}`}`,
        ]),
    ...problems.map(problem => color.yellow(sentence(problem))),
  ]
  return lines.length === 0 ? [] : ['', ...lines]
}

/** The same as fields of `status --output json`. */
export const standingJson = ({ memory, nodePause, now }: Standing) => ({
  paused: { cluster: pauseJson(memory.pause, now), node: pauseJson(nodePause, now) },
  running: memory.holder ?? null,
  lastRun:
    memory.lastRun === undefined
      ? null
      : { ...memory.lastRun, endedAt: new Date(memory.lastRun.endedAt).toISOString() },
  warnings: memory.problems,
})

const pauseJson = (pause: Pause | undefined, now: number) =>
  pause === undefined || pause.until <= now
    ? null
    : { ...pause, since: new Date(pause.since).toISOString(), until: new Date(pause.until).toISOString() }
