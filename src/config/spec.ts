import type { Parse } from './values.js'

/** One row of the tables of options. */
export type Spec<T> = Readonly<{
  group: 'Connection' | 'Job' | 'Backup' | 'Coordination' | 'Force' | 'Daemon' | 'Output'
  /** What a person writes for the value in --help; empty for a switch. */
  shape: string
  about: string
  parse: Parse<T>
  /** Etcdctl's variable for the same thing (etcd: etcdctl/README.md). */
  etcdctl?: string
  /** Never shown. */
  secret?: true
  /** Not in the configuration file. */
  notInFile?: true
}>
/** `fallback` is text, as a person would write it; undefined where an option may be left unset. */
export type Option<T> = Spec<T> & Readonly<{ fallback: string | undefined }>

/** One with a value when nothing is said. */
export const option = <T>(spec: Spec<T> & Readonly<{ fallback: string }>) => spec
/** One that may be left unset. */
export const optional = <T>(spec: Spec<T>) => ({ ...spec, fallback: undefined })
