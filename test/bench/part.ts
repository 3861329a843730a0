import type { Suite } from '../lab/cluster.js'
import type { Packaged } from './packaged.js'
import type { Findings } from './report.js'
import type { Program } from './tools.js'

/** What the command line asks for, as every part takes it. */
export type Context = Readonly<{
  suite: Suite
  /** Of a database file, bytes. */
  size: number
  repeat: number
  seed: number
  /** So small that it only shows that it works. */
  isQuick: boolean
  program: Program
  /** Another program that does the same, if there is one to measure: ahrtr/etcd-defrag. */
  peer: string | undefined
  /** The package that `program` is from, if there is one. */
  packaged: Packaged | undefined
  say(text: string): void
}>

export type Part = Readonly<{
  title: string
  /** What is measured and how, for readers of the results. */
  about: string
  /** Why it cannot be measured here; undefined where it can. */
  refused?(): string | undefined
  measure(context: Context): Promise<Findings>
}>

/** How long the load runs alone before a tool and after it. */
export const besideMs = ({ isQuick }: Context): number => (isQuick ? 500 : 3000)

export const GIB = 2 ** 30
export const MIB = 2 ** 20

/** For what takes tens of times as long as the work of a run does. */
export const atQuarterSize = (context: Context): Context =>
  context.isQuick ? context : { ...context, size: Math.round(context.size / 4) }

/** Databases of several sizes: up to four times the size that was asked for, or just that. */
export const sizesOf = ({ size, isQuick }: Context): readonly number[] =>
  isQuick ? [size] : [0.1, 0.5, 1, 2, 4].map(factor => Math.round(factor * size))

export const sizeName = (bytes: number): string =>
  bytes >= GIB ? `${Number((bytes / GIB).toPrecision(3))} GiB` : `${Math.round(bytes / MIB)} MiB`
