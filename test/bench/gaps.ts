/** One operation of the load. All times are ms since the epoch, with fractions. */
export type Operation = Readonly<{
  client: string
  kind: 'write' | 'read'
  /** When it was due, whether the generator was in time or not. */
  dueAt: number
  endedAt: number
  isDone: boolean
}>

export type Span = Readonly<{ from: number; until: number }>

/** The longest time within `span` in which none of the operations was completed. */
export const longestSilence = (operations: readonly Operation[], span: Span): Span =>
  silences(operations, span).reduce((longest, one) =>
    one.until - one.from > longest.until - longest.from ? one : longest,
  )

/** From each completion within `span` to the next; its edges count as such, so that what never came back is a gap to the end. */
function silences(operations: readonly Operation[], { from, until }: Span): readonly Span[] {
  const moments = operations
    .flatMap(({ isDone, endedAt }) => (isDone && endedAt > from && endedAt < until ? [endedAt] : []))
    .toSorted((a, b) => a - b)
  return [...moments, until].map((moment, i) => ({ from: moments[i - 1] ?? from, until: moment }))
}

/** The longest time without a completion that lies in none of the spans; a silence that reaches beyond one counts for what is outside. */
export function longestOutside(operations: readonly Operation[], span: Span, spans: readonly Span[]): number {
  const inside = ({ from, until }: Span): number =>
    unionOf(
      spans
        .map(one => ({ from: Math.max(one.from, from), until: Math.min(one.until, until) }))
        .filter(one => one.until > one.from),
    )
  return Math.max(...silences(operations, span).map(one => one.until - one.from - inside(one)))
}

/** How long it is, ms. */
export function longestGap(operations: readonly Operation[], span: Span): number {
  const { from, until } = longestSilence(operations, span)
  return until - from
}

/** Of those that were due within the span: how many there were, and how many of them failed. */
export function failuresOf(
  operations: readonly Operation[],
  { from, until }: Span,
): Readonly<{ sent: number; failed: number }> {
  const due = operations.filter(({ dueAt }) => dueAt >= from && dueAt < until)
  return { sent: due.length, failed: due.filter(({ isDone }) => !isDone).length }
}

/** The most of the spans that there were at any one moment; one that ends as another begins is over. */
export function mostAtOnce(spans: readonly Span[]): number {
  const edges = spans.flatMap(({ from, until }) => [
    [from, 1],
    [until, -1],
  ]) as (readonly [number, number])[]
  let [now, most] = [0, 0]
  for (const [, change] of edges.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    now += change
    most = Math.max(most, now)
  }
  return most
}

/** How long at least one of them lasted, ms. */
export function unionOf(spans: readonly Span[]): number {
  let [total, reached] = [0, Number.NEGATIVE_INFINITY]
  for (const { from, until } of spans.toSorted((a, b) => a.from - b.from)) {
    total += Math.max(0, until - Math.max(from, reached))
    reached = Math.max(reached, until)
  }
  return total
}
