import { type ClusterView, labelOf, type Member, type MemberId } from '../model/member.js'

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** Bytes for people, three digits: `203 MiB`, `5.06 MiB`. */
export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  const scaled = count / 1024 ** power
  return `${power === 0 ? Math.round(scaled) : scaled.toPrecision(scaled >= 999.5 ? 4 : 3)} ${units[power]}`
}

/** A time span for people: `85 ms`, `3.21 s`, `4 min 05 s`. */
export function span(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** How long ago something was: `38 s`, `5 min`, `7 h 05 min`, `3 d 4 h`. */
export function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  const hours = Math.floor(minutes / 60)
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`
  if (hours < 1) return `${minutes} min`
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export const percent = (part: number, whole: number): number =>
  whole > 0 ? Math.round((100 * part) / whole) : 0

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of `width` cells, filled to `share` (0 to 1; nothing of nothing, NaN, is empty). */
export function bar(share: number, width: number): string {
  const cells = Math.round(Math.min(1, Math.max(0, share || 0)) * width * 8)
  return ('█'.repeat(Math.floor(cells / 8)) + eighths[cells % 8]).padEnd(width, '·')
}

/** A name that etcd or a file gave, made safe for a terminal and short enough for a line. */
export function shown(name: string, width = 40): string {
  const plain = name.replaceAll(/\p{C}/gu, '?')
  return plain.length > width ? `${plain.slice(0, width - 1).replace(/\p{Cs}$/u, '')}…` : plain
}

/** The same for a sentence, which may be long. */
export const sentence = (words: string): string => shown(words.replaceAll(/\s+/g, ' '), 1000)

export const memberName = (member: Member): string => shown(labelOf(member))

/** The name of the member with that id, as far as the view knows it. */
export function nameOf(view: ClusterView | undefined, id: MemberId): string {
  const member = view?.members.find(m => m.member.id === id)?.member
  return member === undefined ? id : memberName(member)
}

export type Column = Readonly<{ title: string; align?: 'right' }>

/** Lines of a table with two blanks between columns; `paint` colours whole cells after they are padded. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, row: number, column: number) => string = cell => cell,
): string[] {
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map(row => row[i]?.length ?? 0)),
  )
  const line = (cells: readonly string[], row: number) =>
    cells
      .map((cell, i) => {
        const width = widths[i] ?? 0
        return paint(columns[i]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width), row, i)
      })
      .join('  ')
      .trimEnd()
  return [
    line(
      columns.map(column => column.title),
      -1,
    ),
    ...rows.map((row, i) => line(row, i)),
  ]
}
