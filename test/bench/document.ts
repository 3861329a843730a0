import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { aimsTable } from './aims.js'
import { partNames } from './parts.js'
import type { Report } from './report.js'
import { tableMarkdown } from './show.js'

const root = join(import.meta.dirname, '../../..')

const PUBLISHED = join(root, 'BENCHMARKS.md')
const ENOUGH = 5

/** BENCHMARKS.md, or another file, from the results in a folder; resolves to the file. Throws where there are none. */
export async function writeDocument(folder: string, file = PUBLISHED): Promise<string> {
  const reports = await reportsIn(folder)
  if (reports.length === 0) throw new Error(`no results in ${folder}; npm run bench makes them`)
  const few = reports.find(({ parameters: { repeat } }) => Number(repeat) < ENOUGH)
  if (few !== undefined && file === PUBLISHED)
    throw new Error(`${few.part}: measured fewer than ${ENOUGH} times, which is not to be published`)
  await writeFile(file, documentOf(reports, relative(dirname(file), folder)))
  return file
}

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

Made by \`npm run bench -- document\` from the results in \`test/bench/results\`; \`npm run bench\`, as root, measures all of
it anew. Figures are medians, with the range of all repetitions in parentheses. Tools that are compared were measured in
turns, in the same run. Databases hold objects as kube-apiserver stores them, made by \`test/bench/objects.ts\`: some 0.6 of
the file is in use, and a file is up to 7 % smaller than its nominal size.`

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
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}.`,
    ...report.tables.map(tableMarkdown),
    ...report.plots.map(plot => `![${plot.title}](${join(pictures, `${plot.name}.svg`)})`),
    ...(report.notes.length === 0 ? [] : [report.notes.map(note => `- ${note}`).join('\n')]),
  ].join('\n\n')
}
