import { type Axis, extentOf, type Plot, type Point, type Series, ticksOf } from './plot.js'

const WIDTH = 760
const HEIGHT = 420
const LEFT = 76
const RIGHT = 20
const TOP = 44
const LEGEND = 22 // a line of it

/** Readable on white and on black, told apart by who sees few colours, and by their marks as well. */
const colors = ['#2f81c4', '#d9772b', '#2f9e62', '#b25cc2', '#c24a4a', '#8a8a2e', '#5b7f95']
const marks: readonly ((x: number, y: number) => string)[] = [
  (x, y) => `<circle cx="${x}" cy="${y}" r="4"/>`,
  (x, y) => `<rect x="${fixed(x - 4)}" y="${fixed(y - 4)}" width="8" height="8"/>`,
  (x, y) => `<path d="M${x} ${fixed(y - 5)}l5 9h-10z"/>`,
  (x, y) => `<path d="M${x} ${fixed(y - 5)}l5 5l-5 5l-5 -5z"/>`,
]

const style = `text{font:13px system-ui,sans-serif;fill:#444}.title{font-size:15px;font-weight:600}.small{font-size:11px}
.grid{stroke:#888;stroke-opacity:.25}.axis{stroke:#888}
@media(prefers-color-scheme:dark){text{fill:#bbb}}`

/** A plot as a picture of its own: no background, medians as marks, ranges as bars through them. */
export function svgOf(plot: Plot): string {
  const points = plot.series.flatMap(series => series.points)
  const legend = legendOf(plot.series)
  const bottom = HEIGHT + legend.height
  const across = placing(
    plot.x,
    points.map(({ x }) => x),
    LEFT,
    WIDTH - RIGHT,
  )
  const up = placing(
    plot.y,
    points.flatMap(({ y, low = y, high = y }) => [y, low, high]),
    HEIGHT - 56,
    TOP,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom}" width="${WIDTH}" height="${bottom}" role="img">`,
    `<title>${escaped(plot.title)}</title><style>${style}</style>`,
    `<text class="title" x="${LEFT}" y="22">${escaped(plot.title)}</text>`,
    ...verticalGrid(plot.x, across),
    ...horizontalGrid(up),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 16}" text-anchor="middle">${escaped(plot.x.label)}</text>`,
    `<text transform="translate(16 ${(TOP + HEIGHT - 56) / 2}) rotate(-90)" text-anchor="middle">${escaped(plot.y.label)}</text>`,
    ...plot.series.map((series, i) => drawn(series, i, plot.series.length, plot.x, across.at, up.at)),
    ...legend.parts,
    '</svg>\n',
  ].join('\n')
}

type Placing = Readonly<{ at: (value: number) => number; ticks: readonly number[] }>

/** From values to pixels; a log axis has no place for 0, which lies on its edge. */
function placing(axis: Axis, values: readonly number[], from: number, to: number): Placing {
  const [low, high] = extentOf(axis, values)
  const on = (value: number) => (axis.scale === 'log' ? Math.log10(Math.max(value, low)) : value)
  const at = (value: number) => fixed(from + ((on(value) - on(low)) / (on(high) - on(low))) * (to - from))
  const ticks = axis.names?.map((_, i) => i) ?? ticksOf(axis.scale, low, high)
  return { at, ticks }
}

const verticalGrid = (axis: Axis, { at, ticks }: Placing): string[] =>
  ticks.map(tick => {
    const name = escaped(axis.names?.[tick] ?? short(tick))
    const line = axis.names === undefined ? gridLine(at(tick), TOP, at(tick), HEIGHT - 56) : ''
    return `${line}<text x="${at(tick)}" y="${HEIGHT - 38}" text-anchor="middle">${name}</text>`
  })

const horizontalGrid = ({ at, ticks }: Placing): string[] => [
  ...ticks.map(
    tick =>
      `${gridLine(LEFT, at(tick), WIDTH - RIGHT, at(tick))}<text x="${LEFT - 8}" y="${fixed(at(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
  ),
  `<line class="axis" x1="${LEFT}" y1="${HEIGHT - 56}" x2="${WIDTH - RIGHT}" y2="${HEIGHT - 56}"/>`,
]

const gridLine = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line class="grid" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`

function drawn(
  { points, isLine }: Series,
  index: number,
  of: number,
  axis: Axis,
  across: Placing['at'],
  up: Placing['at'],
): string {
  // Side by side where several stand at one name.
  const aside = axis.names === undefined ? 0 : (index - (of - 1) / 2) * 22
  const color = colors[index % colors.length]
  const place = ({ x, y }: Point) => [fixed(across(x) + aside), up(y)] as const
  const line = isLine
    ? `<polyline fill="none" stroke-width="1.5" points="${points.map(point => place(point).join(',')).join(' ')}"/>`
    : ''
  const each = points.map(point => {
    const [x, y] = place(point)
    const { low = point.y, high = point.y, label } = point
    const range = low === high ? '' : `<path d="M${x} ${up(low)}V${up(high)}" stroke-width="2" fill="none"/>`
    const text =
      label === undefined
        ? ''
        : `<text class="small" stroke="none" ${x > WIDTH - 130 ? `text-anchor="end" x="${fixed(x - 7)}"` : `x="${fixed(x + 7)}"`} y="${fixed(y - 5)}">${escaped(label)}</text>`
    return range + mark(index, x, y) + text
  })
  return `<g fill="${color}" stroke="${color}">${line}${each.join('')}</g>`
}

const mark = (index: number, x: number, y: number): string => marks[index % marks.length]?.(x, y) ?? ''

/** Below the plot, three to a line. */
function legendOf(series: readonly Series[]): Readonly<{ parts: string[]; height: number }> {
  if (series.length < 2) return { parts: [], height: 0 }
  const parts = series.map(({ name }, i) => {
    const [x, y] = [LEFT + (i % 3) * 222, HEIGHT + 2 + Math.floor(i / 3) * LEGEND]
    const color = colors[i % colors.length]
    return `<g fill="${color}" stroke="${color}">${mark(i, x, y)}</g><text x="${x + 12}" y="${y + 4}">${escaped(name)}</text>`
  })
  return { parts, height: Math.ceil(series.length / 3) * LEGEND }
}

const fixed = (value: number): number => Math.round(value * 10) / 10
const short = (value: number): string =>
  Math.abs(value) >= 1e7 || (value !== 0 && Math.abs(value) < 0.001) ? value.toExponential() : String(value)
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
