import { basename } from 'node:path'
import type { Contents, Provenance, Verified } from '../model/backup.js'
import { timeOf } from '../model/coordination.js'
import { age, bar, bytes, type Column, sentence, shown, table } from './format.js'
import type { Colors } from './text.js'

/** An archive of the list, as `backup list` finds it. */
export type ListedArchive = Readonly<{
  path: string
  bytes: number
  takenAt: number
  provenance: Provenance | undefined
  problem: string | undefined
  state: Readonly<
    { kind: 'unchanged' } | { kind: 'verified'; verified: Verified } | { kind: 'damaged'; problem: string }
  >
}>

type Facts = Readonly<{ revision: number; totalKeys: number; contentBytes: number }>

function factsOf({ provenance, state }: ListedArchive): Facts | undefined {
  if (provenance !== undefined) {
    const { revision, totalKeys, content } = provenance
    return { revision, totalKeys, contentBytes: content.bytes }
  }
  if (state.kind !== 'verified') return undefined
  const { contents, content } = state.verified
  const { revision, totalKeys }: Contents = contents
  return { revision, totalKeys, contentBytes: content.bytes }
}

const columns: readonly Column[] = [
  { title: 'ARCHIVE' },
  { title: 'AGE', align: 'right' },
  { title: 'TAKEN' },
  { title: 'REVISION', align: 'right' },
  { title: 'KEYS', align: 'right' },
  { title: 'DATABASE', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: '' },
  { title: 'STATE' },
]

/** The archives of `path` as a table, the newest first; `now` is ms since the epoch. */
export function listText(
  path: string,
  archives: readonly ListedArchive[],
  now: number,
  color: Colors,
): string {
  if (archives.length === 0) return `there is no backup at ${path}; write one with etcd-defrag backup create`
  const largest = Math.max(...archives.map(archive => archive.bytes))
  const rows = archives.map(archive => {
    const facts = factsOf(archive)
    return [
      shown(basename(archive.path), 60),
      age(Math.max(0, now - archive.takenAt)),
      timeOf(archive.takenAt),
      facts === undefined ? '-' : String(facts.revision),
      facts === undefined ? '-' : String(facts.totalKeys),
      facts === undefined ? '-' : bytes(facts.contentBytes),
      bytes(archive.bytes),
      bar(archive.bytes / largest, 10),
      archive.state.kind === 'damaged' ? 'damaged' : 'verifies',
    ]
  })
  const lines = table(columns, rows, (cell, row, column) => {
    if (row < 0) return color.bold(cell)
    if (column === 7) return color.cyan(cell)
    if (column !== 8) return cell
    return cell.startsWith('damaged') ? color.red(cell) : color.green(cell)
  })
  const notes = archives.flatMap(({ path: file, state, problem }) => [
    ...(state.kind === 'damaged' ? [color.red(`${basename(file)}: ${sentence(state.problem)}`)] : []),
    ...(problem === undefined ? [] : [color.yellow(`${basename(file)}: ${sentence(problem)}`)]),
    ...(state.kind === 'verified' && problem === undefined
      ? [color.dim(`${basename(file)}: no provenance beside it, so it was read and walked now`)]
      : []),
  ])
  return [...lines, ...(notes.length === 0 ? [] : ['', ...notes])].join('\n')
}

/** What `backup list --output json` prints. */
export const listJson = (archives: readonly ListedArchive[]) => ({
  format: 1,
  archives: archives.map(archive => ({
    path: archive.path,
    takenAt: new Date(archive.takenAt).toISOString(),
    bytes: archive.bytes,
    revision: factsOf(archive)?.revision ?? null,
    totalKeys: factsOf(archive)?.totalKeys ?? null,
    verifies: archive.state.kind !== 'damaged',
    problem: archive.state.kind === 'damaged' ? archive.state.problem : (archive.problem ?? null),
    provenance: archive.provenance ?? null,
  })),
})
