export type Summary = Readonly<{ median: number; min: number; max: number; count: number }>

/** Of at least one number; the mean of the middle two where their count is even. Throws a RangeError for none. */
export function summaryOf(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) throw new RangeError('there is no median of no values')
  const middle = sorted.length / 2
  const pair = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]].map(Number)
  return { median: ((pair[0] ?? 0) + (pair[1] ?? 0)) / 2, min, max, count: sorted.length }
}

/** Of a plot: the median, and how far all of them reach. */
export function pointOf(x: number, values: readonly number[]) {
  const { median: y, min: low, max: high } = summaryOf(values)
  return { x, y, low, high }
}

/** Each of ours by the one of theirs that was measured beside it: what the machine did meanwhile hit both. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): readonly number[] {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} and ${theirs.length} values are no pairs`)
  return ours.map((value, i) => value / (theirs[i] ?? Number.NaN))
}

/** The points that no other beats: none is as low in one and lower in the other. By rising `x`. */
export function frontOf<T extends Readonly<{ x: number; y: number }>>(points: readonly T[]): readonly T[] {
  const sorted = points.toSorted((a, b) => a.x - b.x || a.y - b.y)
  let best = Number.POSITIVE_INFINITY
  return sorted.filter(point => {
    const isBetter = point.y < best
    if (isBetter) best = point.y
    return isBetter
  })
}

/** Items in the order of turn `n`: each turn another one begins, and in every second the others come backwards: none always comes after the same. */
export function inTurn<T>(items: readonly T[], n: number): readonly T[] {
  const start = items.length === 0 ? 0 : n % items.length
  const others = [...items.slice(start + 1), ...items.slice(0, start)]
  return [...items.slice(start, start + 1), ...(n % 2 === 0 ? others : others.toReversed())]
}

/** The straight line with the least squares of what it is off by; flat through a single point. */
export function lineThrough(points: readonly Readonly<{ x: number; y: number }>[]): (x: number) => number {
  const mean = (of: (point: Readonly<{ x: number; y: number }>) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)]
  const spread = mean(({ x }) => (x - meanX) ** 2)
  const slope = spread === 0 ? 0 : mean(({ x, y }) => (x - meanX) * (y - meanY)) / spread
  return x => meanY + slope * (x - meanX)
}
