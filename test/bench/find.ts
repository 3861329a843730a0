import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartName } from './parts.js'
import type { Cell, Figure, Report } from './report.js'

/** The results in a folder, of all parts that were measured. */
export async function reportsIn(folder: string): Promise<readonly Report[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.json'))
  return Promise.all(
    files.map(async name => JSON.parse(await readFile(join(folder, name), 'utf8')) as Report),
  )
}

/** The cell of a row, the first of that name, in the first of a part's tables that has both. */
export function cellAt(
  reports: readonly Report[],
  part: PartName,
  row: string | RegExp,
  column: string,
): Cell | undefined {
  const tables = reports.filter(one => one.part === part).flatMap(one => one.tables)
  const isIt = (name: string) => (typeof row === 'string' ? name === row : row.test(name))
  return tables.flatMap(({ columns, rows }) => {
    const i = columns.indexOf(column)
    return i < 0 ? [] : rows.filter(([name]) => isIt(String(name))).map(cells => cells[i])
  })[0]
}

/** Cells of tables by the names of their part, their row and their column. */
export type Place = Readonly<{ part: RegExp; row: RegExp; column: RegExp }>

/** The figures there, those of each column from its top; none where that was not measured. */
export function columnsAt(
  reports: readonly Report[],
  { part, row, column }: Place,
): readonly (readonly Figure[])[] {
  const tables = reports.filter(one => part.test(one.part)).flatMap(one => one.tables)
  const found = tables.flatMap(({ columns, rows }) => {
    const named = rows.filter(([name]) => typeof name === 'string' && row.test(name))
    return columns.flatMap((name, i) =>
      column.test(name) ? [named.map(cells => cells[i] ?? '').filter(cell => typeof cell !== 'string')] : [],
    )
  })
  return found.filter(figures => figures.length > 0)
}
