import { type ClusterView, labelOf } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { isReachable, quotaOf, toleranceOf, troubles, voters } from './cluster.js'
import { flawsOf } from './versions.js'

/** What a run that goes ahead has to say of the cluster before it begins. */
export const cautions = (view: ClusterView, policy: Policy): readonly string[] => [
  ...(policy.forceUnhealthy ? illHealth(view) : []),
  ...(policy.forceVersion ? flawsOf(view, 'refuse').map(flaw => `--force-version: ${flaw}`) : []),
  ...(policy.job === 'nightly' ? [...flawsOf(view, 'warn'), ...remoteDisks(view)] : []),
]

/**
 * The free disk of another node cannot be seen from here. Whoever gave its member a quota gave it a disk that holds as
 * much, so only where file and copy together are larger is there something to say.
 */
const remoteDisks = (view: ClusterView): readonly string[] =>
  voters(view).flatMap(m => {
    if (m.member.id === view.local || !isReachable(m)) return []
    const { dbSize, dbSizeInUse } = m.status
    const quota = quotaOf(m)
    if (quota === undefined)
      return [
        `member ${labelOf(m.member)}: neither its quota nor the free disk of its node can be seen from here`,
      ]
    if (dbSize + dbSizeInUse <= quota) return []
    return [
      `member ${labelOf(m.member)}: its file of ${dbSize} bytes and the copy of ${dbSizeInUse} that a defragmentation makes are more than its quota of ${quota}; see to it that its disk has room for both`,
    ]
  })

function illHealth(view: ClusterView): readonly string[] {
  const trouble = troubles(view)
  if (trouble === undefined) return []
  const { voters: all, healthy, quorum, further } = toleranceOf(view)
  const bear =
    further < 0
      ? 'there is no quorum now, writes are stopped'
      : further === 0
        ? 'no further failure can be borne'
        : `${further} further ${further === 1 ? 'failure' : 'failures'} can be borne`
  return [
    `--force-unhealthy: ${trouble}`,
    `--force-unhealthy: ${healthy} of ${all} voting members are healthy and ${quorum} make a quorum: ${bear}`,
  ]
}
