export type Axis = Readonly<{
  /** With its unit. */
  label: string
  scale: 'linear' | 'log'
  /** Names at 0, 1, 2 … instead of numbers. */
  names?: readonly string[]
}>
export type Point = Readonly<{ x: number; y: number; low?: number; high?: number; label?: string }>
export type Series = Readonly<{ name: string; points: readonly Point[]; isLine: boolean }>
export type Plot = Readonly<{ name: string; title: string; x: Axis; y: Axis; series: readonly Series[] }>

/** Where the lines across an axis are: 1, 2 or 5 times a power of ten, and powers alone where there are many. */
export function ticksOf(scale: Axis['scale'], low: number, high: number): readonly number[] {
  if (scale === 'log') {
    const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
    const within = to - from <= 2 ? [1, 2, 5] : [1]
    const all = Array.from({ length: to - from + 1 }, (_, i) => from + i).flatMap(power =>
      within.map(step => exact(step * 10 ** power)),
    )
    const seen = all.filter(tick => tick >= low * 0.999 && tick <= high * 1.001)
    return seen.length > 2 ? seen : ticksOf('linear', low, high) // less than a decade
  }
  const rough = (high - low) / 5 || 1
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) ?? rough
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    exact((first + i) * step),
  )
}

/** Without what binary fractions add to decimal ones. */
const exact = (value: number): number => Number(value.toPrecision(12))

/** What an axis shows: all of the values and a little air; from 0 on a linear one. */
export function extentOf({ scale, names }: Axis, values: readonly number[]): readonly [number, number] {
  if (names !== undefined) return [-0.5, names.length - 0.5]
  const usable = scale === 'log' ? values.filter(value => value > 0) : values
  if (usable.length === 0) return scale === 'log' ? [1, 10] : [0, 1]
  const [low, high] = [Math.min(...usable), Math.max(...usable)]
  return scale === 'log' ? [low / 1.3, high * 1.3] : [Math.min(0, low), high * 1.06 || 1]
}
