import type { ClusterView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { toleranceOf, troubles } from './cluster.js'
import { flawsOf } from './versions.js'

/** What a run that goes ahead has to say of the cluster before it begins. */
export const cautions = (view: ClusterView, policy: Policy): readonly string[] => [
  ...(policy.forceUnhealthy ? illHealth(view) : []),
  ...(policy.forceVersion ? flawsOf(view, 'refuse').map(flaw => `--force-version: ${flaw}`) : []),
  ...flawsOf(view, 'warn'),
]

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
