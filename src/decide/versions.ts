import { type ClusterView, labelOf } from '../model/member.js'
import { isReachable } from './cluster.js'

/** A flaw of etcd that bears on this job: versions from `from` on and before `fixed` have it. */
export type Flaw = Readonly<{
  /** In github.com/etcd-io/etcd. */
  issue: number
  versions: readonly Readonly<{ from: string; fixed: string }>[]
  what: string
  gate: 'refuse' | 'warn' | 'strictLag'
}>

/** Newest first. One that another gate takes care of, that of the free disk, is not listed again. */
export const flaws: readonly Flaw[] = [
  {
    issue: 20271,
    versions: [
      { from: '0.0.0', fixed: '3.4.38' },
      { from: '3.5.0', fixed: '3.5.23' },
      { from: '3.6.0', fixed: '3.6.5' },
    ],
    what: 'a member that receives a snapshot from the leader while it is defragmented damages itself',
    gate: 'strictLag',
  },
  {
    issue: 14685,
    versions: [{ from: '3.5.0', fixed: '3.5.6' }],
    what: 'a crash in mid-defragmentation applies entries again when the member comes back',
    gate: 'refuse',
  },
  {
    issue: 14648,
    versions: [
      { from: '0.0.0', fixed: '3.4.22' },
      { from: '3.5.0', fixed: '3.5.6' },
    ],
    what: 'where authentication is on, its data is lost when a member recovers from a snapshot',
    gate: 'warn',
  },
  {
    issue: 13766,
    versions: [{ from: '3.5.0', fixed: '3.5.3' }],
    what: 'data becomes inconsistent between members after a crash',
    gate: 'refuse',
  },
  {
    issue: 13713,
    versions: [
      { from: '0.0.0', fixed: '3.4.19' },
      { from: '3.5.0', fixed: '3.5.3' },
    ],
    what: 'a defragmentation drops options of the database, and compactions are slow until a restart',
    gate: 'warn',
  },
  {
    issue: 11613,
    versions: [
      { from: '0.0.0', fixed: '3.3.19' },
      { from: '3.4.0', fixed: '3.4.4' },
    ],
    what: 'the temporary file of an interrupted defragmentation is used again',
    gate: 'refuse',
  },
]

/** A sentence for each flaw of that gate that a reachable member has. */
export function flawsOf(view: ClusterView, gate: Flaw['gate']): readonly string[] {
  return view.members.filter(isReachable).flatMap(({ member, status }) =>
    flaws
      .filter(flaw => flaw.gate === gate)
      .flatMap(({ issue, versions, what }) => {
        const range = versions.find(({ from, fixed }) => isIn(status.version, from, fixed))
        if (range === undefined) return []
        return [
          `member ${labelOf(member)} runs etcd ${status.version}: ${what} (etcd #${issue}, fixed in ${range.fixed})`,
        ]
      }),
  )
}

/** Whether a member of that version must have caught up closely before it is defragmented. */
export const needsStrictLag = (version: string): boolean =>
  flaws.some(
    ({ gate, versions }) =>
      gate === 'strictLag' && versions.some(({ from, fixed }) => isIn(version, from, fixed)),
  )

const isIn = (version: string, from: string, fixed: string): boolean =>
  compare(version, from) >= 0 && compare(version, fixed) < 0

/** By major, minor and patch; what follows them, such as `-rc.1`, does not count. */
function compare(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)]
  const at = left.findIndex((part, i) => part !== right[i])
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0)
}

const numbers = (version: string): readonly number[] =>
  (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
