import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeMachine } from './machine.js'
import type { Context } from './part.js'
import { type PartName, partOf } from './parts.js'
import type { Report } from './report.js'
import { svgOf } from './svg.js'

/** Measures one part and describes what it was measured on. `command`: what was typed, for whoever repeats it. */
export async function take(name: PartName, context: Context, command: string): Promise<Report> {
  const { title, about, measure } = partOf(name)
  const machine = await describeMachine(context)
  const from = performance.now()
  const takenAt = new Date().toISOString()
  const findings = await measure(context)
  const { size, repeat, seed } = context
  return {
    format: 1,
    part: name,
    title,
    about,
    command,
    takenAt,
    tookMs: Math.round(performance.now() - from),
    machine,
    parameters: { size, repeat, seed },
    ...findings,
  }
}

/** Writes NAME.json and a picture for each plot. */
export async function keep(report: Report, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const plot of report.plots) await writeFile(join(folder, `${plot.name}.svg`), svgOf(plot))
  await writeFile(join(folder, `${report.part}.json`), `${JSON.stringify(report, null, 1)}\n`)
}
