import type { Machine } from './machine.js'
import type { Plot } from './plot.js'

/** What was measured, each time that it was; medians and ranges are made when it is shown. */
export type Figure = Readonly<{ unit: Unit; values: readonly number[] }>
export type Unit = 'ms' | 'bytes' | 'count' | 'ratio' | 'percent' | 'bytes/s'
export type Cell = string | Figure

export type Table = Readonly<{
  title: string
  columns: readonly string[]
  rows: readonly (readonly Cell[])[]
}>

/** What one part of the bench found, for people and for machines. */
export type Findings = Readonly<{
  tables: readonly Table[]
  plots: readonly Plot[]
  /** What a reader must know to read the figures right. */
  notes: readonly string[]
  /** Every trial as it was measured. */
  trials: readonly unknown[]
  /** What it was measured with, where that is not just what was asked for. */
  parameters?: Parameters
}>

/** `size` in bytes. */
type Parameters = Readonly<Record<string, string | number>>

export type Report = Omit<Findings, 'parameters'> &
  Readonly<{
    format: 1
    part: string
    title: string
    about: string
    command: string
    takenAt: string
    tookMs: number
    machine: Machine
    parameters: Parameters
  }>

export const figure = (unit: Unit, values: readonly number[]): Figure => ({ unit, values })
export const ms = (values: readonly number[]): Figure => figure('ms', values)
export const bytes = (values: readonly number[]): Figure => figure('bytes', values)
