import type { Figure, Report } from './report.js'

/** Cells of tables by the names of their part, their row and their column. */
export type Place = Readonly<{ part: RegExp; row: RegExp; column: RegExp }>

/** The figures there, in order; none where that was not measured. */
export function figuresAt(reports: readonly Report[], { part, row, column }: Place): readonly Figure[] {
  const tables = reports.filter(one => part.test(one.part)).flatMap(one => one.tables)
  return tables.flatMap(({ columns, rows }) =>
    rows
      .filter(([name]) => typeof name === 'string' && row.test(name))
      .flatMap(cells => cells.filter((_, i) => column.test(columns[i] ?? '')))
      .filter(cell => typeof cell !== 'string'),
  )
}
