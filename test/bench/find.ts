import type { Figure, Report } from './report.js'

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
