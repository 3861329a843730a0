import { clearLine, cursorTo } from 'node:readline'
import { describe } from '../model/fault.js'
import type { StepRecord } from '../model/step.js'
import type { Event } from '../model/world.js'
import { bytes, memberName, sentence, span } from './format.js'
import { type Colors, finishing, stepText } from './text.js'

/** The part of a terminal that is written to. */
export type Screen = NodeJS.WritableStream & { columns?: number }

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100
const phases = { snapshot: 'receiving', compress: 'compressing', verify: 'verifying' } as const

/** Keeps one live line for the step under way and leaves one finished line behind for each step. */
export function terminal(screen: Screen, color: Colors, overwrites = true): (event: Event) => void {
  let live: { text: string; since: number; detail: string } | undefined
  let phase: { name: keyof typeof phases; since: number; from: number } | undefined
  let timer: NodeJS.Timeout | undefined
  let frame = 0

  const erase = () => {
    if (!overwrites) return
    cursorTo(screen, 0)
    clearLine(screen, 0)
  }
  const draw = () => {
    if (live === undefined || !overwrites) return
    frame = (frame + 1) % FRAMES.length
    const line = `${FRAMES[frame]} ${live.text}${live.detail} · ${span(Date.now() - live.since)}`
    erase()
    screen.write(line.slice(0, Math.max(20, (screen.columns || 80) - 1)))
  }
  const begin = (text: string) => {
    live = { text, since: Date.now(), detail: '' }
    phase = undefined
    timer ??= setInterval(draw, FRAME_MS)
    draw()
  }
  const leave = (line?: string) => {
    live = undefined
    clearInterval(timer)
    timer = undefined
    erase()
    if (line !== undefined) screen.write(`${line}\n`)
  }

  return event => {
    switch (event.event) {
      case 'started':
        for (const note of event.notes) screen.write(`${color.yellow(`note: ${sentence(note)}`)}\n`)
        return
      case 'stepStarted':
        return begin(stepText(event.step))
      case 'stepProgress': {
        if (live === undefined) return
        if (phase?.name !== event.phase) phase = { name: event.phase, since: Date.now(), from: event.bytes }
        const seconds = (Date.now() - phase.since) / 1000
        const rate = seconds > 0.1 ? `, ${bytes((event.bytes - phase.from) / seconds)}/s` : ''
        const of = event.of === undefined ? '' : ` of ${bytes(event.of)}`
        live.detail = ` · ${phases[event.phase]} ${bytes(event.bytes)}${of}${rate}`
        return
      }
      case 'stepEnded':
        return leave(finishedLine(event.record, color))
      case 'waiting':
        return begin(`waiting: ${sentence(event.because)}`)
      case 'interrupting': {
        const line = `${color.yellow('!')} ${event.by}: ${finishing[event.during?.kind ?? 'none']}`
        const { text, since } = live ?? { text: '', since: 0 }
        leave(line)
        if (text !== '') {
          begin(text)
          live = { text, since, detail: '' }
        }
        return
      }
      case 'decided':
      case 'ended':
        return leave()
    }
  }
}

/** A step that is over: its mark, what came of it, how long it took. */
export function finishedLine(record: StepRecord, color: Colors): string {
  const marks = {
    done: color.green('✔'),
    warned: color.yellow('!'),
    unanswered: color.yellow('?'),
    failed: color.red('✘'),
  } as const
  return `${marks[record.outcome.kind]} ${finishedText(record)}`
}

/** The same without its mark. */
export function finishedText(record: StepRecord): string {
  const took = span(record.tookMs)
  const what = stepText(record.step)
  const { outcome } = record
  switch (outcome.kind) {
    case 'done':
      return `${what}${resultText(record)} · ${took}`
    case 'warned':
      return `${what} · ${sentence(outcome.problem)}`
    case 'unanswered':
    case 'failed':
      return `${what} · ${sentence(describe(outcome.fault))} · ${took}`
  }
}

function resultText({ kind, outcome }: StepRecord): string {
  if (outcome.kind !== 'done') return ''
  switch (kind) {
    case 'defragment': {
      const { before, after } = outcome.result
      return after === undefined ? '' : ` · ${bytes(before.dbSize)} → ${bytes(after.dbSize)}`
    }
    case 'moveLeader':
      return ` · it was ${memberName(outcome.result.to)}`
    case 'disarm':
      return ' · etcd takes writes again'
    case 'snapshot': {
      const { snapshotBytes, archiveBytes } = outcome.result
      return ` · ${bytes(snapshotBytes)} → ${bytes(archiveBytes)}, verified`
    }
    case 'trim':
      return ` · ${bytes(outcome.result.bytes)}`
  }
}
