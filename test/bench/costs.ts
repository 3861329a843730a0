import { cellAt } from './find.js'
import type { PartName } from './parts.js'
import type { Report, Table } from './report.js'
import { medianText } from './show.js'

/** A row of the README's table: where the figure of each tool is; none for a tool that does nothing of the kind. */
type Cost = Readonly<{
  what: string
  part: PartName
  column: string
  tools: readonly (string | RegExp | undefined)[]
}>

const columns = ['', 'etcd-defrag', '`etcdctl defrag --cluster`', 'the script'] as const
const three = ['etcd-defrag', 'etcdctl defrag --cluster', 'shell script'] as const
const gap = { column: 'write gap, any member', tools: three } as const
const own = { part: 'own', tools: three.map(tool => `256 MiB: ${tool}`) } as const
const backup = ['etcd-defrag backup create', undefined, 'etcdctl snapshot save, xz -f'] as const

export const costs: readonly Cost[] = [
  {
    what: 'longest time without a write through any member, three of 1 GiB, disks of 400 MB/s',
    part: 'clients',
    ...gap,
  },
  { what: 'the same, slow disks of 45 MB/s', part: 'clients-slow', ...gap },
  {
    what: 'the same, defragmentations of more than 30 s',
    ...{ part: 'clients-outlasting', ...gap },
  },
  {
    what: 'members out at once, slow disks',
    ...{ part: 'clients-slow', column: 'out at once', tools: three },
  },
  {
    what: 'operations that failed for a client that fails over, slow disks',
    ...{ part: 'clients-slow', column: 'failing over, failed', tools: three },
  },
  {
    what: 'time until the last of three members of 256 MiB is defragmented, beyond defragmenting',
    column: 'own, until the last',
    ...own,
  },
  {
    what: 'time of all of it beyond defragmenting, snapshot and compressing',
    column: 'own',
    ...own,
  },
  {
    what: 'from one member to an archive of the 167 MiB in use: `backup create`, verified and synced by then; `snapshot save` and `xz -f`, neither',
    ...{ part: 'compression', column: 'wall', tools: backup },
  },
  {
    what: 'the same beside `xz -f -1` with two threads, our preset',
    ...{ part: 'compression', column: 'wall', tools: [backup[0], undefined, /, xz -f -1 -T[02]$/] },
  },
  {
    what: 'how many times smaller the archive is, ours and that of `xz -f`',
    ...{ part: 'compression', column: 'ratio', tools: backup },
  },
]

/** What people use today beside this tool: medians. */
export function costsTable(reports: readonly Report[]): Table {
  const rows = costs.map(({ what, part, column, tools }) => {
    const cells = tools.map(row => (row === undefined ? undefined : cellAt(reports, part, row, column)))
    return [what, ...cells.map(cell => (typeof cell === 'object' ? medianText(cell) : '-'))]
  })
  return { title: 'What it costs', columns, rows }
}
