import type { Cell, Figure, Table, Unit } from './report.js'
import { summaryOf } from './statistics.js'

/** Three digits, as many as a measurement is worth. */
const digits = (value: number): string =>
  value !== 0 && Math.abs(value) < 1000 ? String(Number(value.toPrecision(3))) : String(Math.round(value))

const scaled = (value: number, units: readonly (readonly [factor: number, name: string])[]): string => {
  const [factor, name] = units.find(([least]) => Math.abs(value) >= least) ?? units.at(-1) ?? [1, '']
  return `${digits(value / factor)} ${name}`
}

const binary = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'B'],
] as const

const shown: Readonly<Record<Unit, (value: number) => string>> = {
  ms: value =>
    scaled(value, [
      [1000, 's'],
      [1, 'ms'],
    ]),
  bytes: value => scaled(value, binary),
  'bytes/s': value => `${scaled(value, binary)}/s`,
  count: digits,
  ratio: value => `${digits(value)} ×`,
  percent: value => `${digits(value)} %`,
}

/** The median, and the range where it was measured more than once. */
export function figureText({ unit, values }: Figure): string {
  if (values.length === 0) return '-'
  const { median, min, max } = summaryOf(values)
  const [middle = '', least = '', most = ''] = [median, min, max].map(shown[unit])
  if (least === most) return middle
  const unitOf = (text: string) => text.replace(/^[-\d.]+/, '')
  const isOne = unitOf(least) === unitOf(middle) && unitOf(most) === unitOf(middle)
  const bare = (text: string) => (isOne ? text.slice(0, text.length - unitOf(text).length) : text)
  return `${middle} (${bare(least)} .. ${bare(most)})`
}

/** The median alone. */
export const medianText = ({ unit, values }: Figure): string =>
  figureText({ unit, values: values.length === 0 ? [] : [summaryOf(values).median] })

export const cellText = (cell: Cell): string => (typeof cell === 'string' ? cell : figureText(cell))

/** For a terminal: columns as wide as what is in them, the first to the left. */
export function tableText({ title, columns, rows }: Table): string {
  const cells = [columns, ...rows.map(row => row.map(cellText))]
  const widths = columns.map((_, i) => Math.max(...cells.map(row => (row[i] ?? '').length)))
  const lines = cells.map(row =>
    widths
      .map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width)))
      .join('  ')
      .trimEnd(),
  )
  return [title, ...lines].join('\n')
}

export function tableMarkdown({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    `**${title}**`,
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '--:'))),
    ...rows.map(row => line(row.map(cellText))),
  ].join('\n')
}
