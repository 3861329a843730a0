import type { Machine } from './machine.js'
import { sizeName } from './part.js'
import { partNames } from './parts.js'
import type { Report } from './report.js'
import { tableMarkdown } from './show.js'

/** All that was measured, part by part in the order of the bench, for the folder of the results. */
export const detailsOf = (reports: readonly Report[]): string =>
  `${[HEAD, ...inOrder(reports).map(sectionOf)].join('\n\n')}\n`

export const inOrder = (reports: readonly Report[]): readonly Report[] =>
  reports.toSorted((a, b) => order(a) - order(b))

const order = ({ part }: Report): number => (partNames as readonly string[]).indexOf(part)

const HEAD = `# All results of the bench

Made by \`npm run docs\` from the files beside this one; BENCHMARKS.md says what they come to. \`npm run package\` and then
\`npm run bench\` measure all of it anew, as root, with the etcd of a Debian release that is fetched for it, on a machine with
some 24 GiB of memory and cgroup v1's blkio controller, which the disks of the members take; each part tells its own command.
Figures are medians, with the range of all repetitions in parentheses. Each part is one run: tools that are compared were
measured in turns in it, and between parts the machine may have been faster or slower. \`load\` is the mean number of
processes that wanted a core in the minute before, which the part before leaves behind.`

function sectionOf(report: Report): string {
  return [
    `## ${report.title}`,
    report.about,
    `${takenText(report)}; ${machineText(report.machine)}.`,
    ...report.tables.map(tableMarkdown),
    ...report.plots.map(plot => `![${plot.title}](${plot.name}.svg)`),
    ...(report.notes.length === 0 ? [] : [report.notes.map(note => `- ${note}`).join('\n')]),
  ].join('\n\n')
}

/** The command, when and of what, and with which parameters. */
export function takenText({ command, takenAt, tookMs, machine, parameters }: Report): string {
  const asked = Object.entries(parameters).map(
    ([name, value]) => `${name} ${name === 'size' ? sizeName(Number(value)) : value}`,
  )
  return `\`${command}\`: commit ${machine.commit}, ${takenAt.slice(0, 10)}, ${Math.round(tookMs / 60_000)} min, ${asked.join(', ')}, load ${machine.load} before`
}

export const machineText = (machine: Machine): string =>
  [
    `${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, ${machine.disk}`,
    `Linux ${machine.kernel}`,
    `${machine.program} on Node ${machine.node}`,
    `etcd ${machine.etcd}`,
    `xz ${machine.xz}`,
  ].join(', ')
