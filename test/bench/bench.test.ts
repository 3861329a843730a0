import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { aims } from './aims.js'
import { costs } from './costs.js'
import { detailsOf } from './details.js'
import { digests } from './digests.js'
import { reportsIn } from './find.js'
import { type PartName, partNames, partOf } from './parts.js'
import type { Report } from './report.js'

const run = promisify(execFile)
const main = join(import.meta.dirname, 'main.js')

/** Every part with databases of 8 MiB, once: that it works and what it reports, not how fast anything is. */
describe('the bench', { timeout: 300_000 }, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-bench-test-'))
  })
  after(() => rm(folder, { recursive: true }))

  const take = async (name: PartName): Promise<Report> => {
    const { stdout } = await run(process.execPath, [
      '--no-deprecation',
      main,
      name,
      '--quick',
      '--size',
      '8MiB',
      ...['--out', folder],
      ...['--packages', folder], // none: what is built here, however old a package there may be
    ])
    const report = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as Report
    assert.ok(stdout.includes(report.title))
    return report
  }

  for (const name of partNames)
    test(`${name}: figures in tables, plots, and what they were measured on`, {
      skip: partOf(name).refused?.() ?? false,
    }, async () => {
      const report = await take(name)
      assert.ok(report.trials.length > 0 && report.tables.length > 0)
      for (const { title, columns, rows } of report.tables) {
        assert.ok(rows.length > 0, title)
        for (const row of rows) {
          assert.equal(row.length, columns.length, title)
          for (const cell of row)
            if (typeof cell !== 'string') assert.ok(cell.values.every(Number.isFinite), `${title}: ${row[0]}`)
        }
      }
      for (const plot of report.plots) {
        const svg = await readFile(join(folder, `${plot.name}.svg`), 'utf8')
        assert.match(svg, /^<svg .*<\/svg>\n$/s)
        assert.doesNotMatch(svg, /NaN|undefined/)
      }
      assert.ok(report.machine.cores > 0 && report.machine.etcd.startsWith('3.'))
      said[name]?.(report)
    })

  test('what the documents tell, compare and judge is in the columns of the parts it is said to be in', async () => {
    const reports = await reportsIn(folder)
    const has = (part: PartName | RegExp, column: string | RegExp) =>
      partNames.some(name => (typeof part === 'string' ? name === part : part.test(name))) &&
      reports
        .filter(one => (typeof part === 'string' ? one.part === part : part.test(one.part)))
        .every(({ tables }) => {
          const columns = tables.flatMap(table => table.columns)
          return columns.some(name => (typeof column === 'string' ? name === column : column.test(name)))
        })
    for (const { part, column, what } of aims) assert.ok(has(part, column), what)
    for (const { part, column, what } of costs) assert.ok(has(part, column), what)
    const measured = digests.flatMap(({ tables }) => tables).filter(({ title }) => title !== 'The packages') // none here
    for (const { title, of, columns } of measured)
      for (const part of Object.keys(of) as PartName[])
        for (const [, column] of columns) assert.ok(has(part, column), `${title}: ${column}`)
  })

  test('all tables are in one document, with a picture for each plot', async () => {
    const text = detailsOf(await reportsIn(folder))
    for (const [, picture = ''] of text.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g))
      assert.ok((await readdir(folder)).includes(picture), picture)
    for (const file of (await readdir(folder)).filter(name => name.endsWith('.json')))
      assert.ok(text.includes(`## ${partOf(file.replace('.json', '') as PartName).title}\n`), file)
  })
})

type TrialOf = Readonly<{
  tool: string
  exitCode: number
  mostOut: number
  members: { before: number; after: number }[]
  clients?: { sent: number }
}>

const clients = ({ trials }: Report): void => {
  assert.deepEqual(
    (trials as TrialOf[]).map(({ tool }) => tool),
    ['etcd-defrag', 'etcdctl defrag --cluster', 'shell script', 'no tool'],
  )
  assert.equal((trials as TrialOf[]).at(-1)?.mostOut, 0)
  for (const { tool, exitCode, mostOut, members, clients } of (trials as TrialOf[]).slice(0, -1)) {
    assert.equal(exitCode, 0, tool)
    assert.equal(mostOut, 1, tool)
    assert.ok(
      members.every(({ before, after }) => after < before),
      tool,
    )
    assert.ok((clients?.sent ?? 0) > 0, tool)
  }
}

/** That the work which is measured was done. */
const said: Partial<Record<PartName, (report: Report) => void>> = {
  clients,
  'clients-slow': clients,
  'clients-outlasting': clients,
  own: ({ trials }) => {
    for (const { tool, members } of trials as TrialOf[])
      assert.ok(
        members.every(({ before, after }) => after < before),
        tool,
      )
  },
}
