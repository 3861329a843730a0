import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aimsTable } from './aims.js'
import { sizeName } from './part.js'
import { partNames } from './parts.js'
import type { Report } from './report.js'
import { tableMarkdown } from './show.js'

/** The results in a folder, of all parts that were measured. */
export async function reportsIn(folder: string): Promise<readonly Report[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.json'))
  return Promise.all(
    files.map(async name => JSON.parse(await readFile(join(folder, name), 'utf8')) as Report),
  )
}

/** Parts in the order of the bench, each with what it was measured with. `pictures`: the folder of the plots. */
export function documentOf(reports: readonly Report[], pictures: string): string {
  const sorted = reports.toSorted((a, b) => order(a) - order(b))
  const sections = sorted.map(report => sectionOf(report, pictures))
  return `${[head, tableMarkdown(aimsTable(reports)), ...sections].join('\n\n')}\n`
}

const order = ({ part }: Report): number => (partNames as readonly string[]).indexOf(part)

const head = `# Benchmarks

Made by \`npm run docs\` from the results in \`test/bench/results\`. \`npm run package\` and then \`npm run bench\` measure all of
it anew, as root, with the etcd of a Debian release that is fetched for it, on a machine with some 24 GiB of memory and
cgroup v1's blkio controller, which the disks of the members take; each part tells its own command.
Figures are medians, with the range of all repetitions in parentheses. Tools that are compared were measured in turns, in
the same run. Databases hold objects as kube-apiserver stores them, made by \`test/bench/objects.ts\`: some 0.6 of the file
is in use, and a file is up to 7 % smaller than its nominal size.`

function sectionOf(report: Report, pictures: string): string {
  const { machine, parameters } = report
  const gib = (bytes: number) => `${Math.round(bytes / 2 ** 30)} GiB`
  const on = [
    `${machine.cpu}, ${machine.cores} cores, ${gib(machine.memoryBytes)}, ${machine.disk}, Linux ${machine.kernel}`,
    `${machine.program} on Node ${machine.node}, etcd ${machine.etcd}, xz ${machine.xz}`,
    `load ${machine.load} before`,
    `commit ${machine.commit}`,
    `${report.takenAt.slice(0, 10)}, ${Math.round(report.tookMs / 60_000)} min`,
  ]
  return [
    `## ${report.title}`,
    report.about,
    `\`${report.command}\`: ${on.join('; ')}; ${Object.entries(parameters)
      .map(([name, value]) => `${name} ${name === 'size' ? sizeName(Number(value)) : value}`)
      .join(', ')}.`,
    ...report.tables.map(tableMarkdown),
    ...report.plots.map(plot => `![${plot.title}](${join(pictures, `${plot.name}.svg`)})`),
    ...(report.notes.length === 0 ? [] : [report.notes.map(note => `- ${note}`).join('\n')]),
  ].join('\n\n')
}
