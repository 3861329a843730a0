import { type ClusterView, labelOf } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { find, isReachable, leaderOf, troubles, voters } from './cluster.js'
import { flawsOf } from './versions.js'

/** One preflight check. `problem` is undefined when all is well. */
export type Check = Readonly<{
  name: string
  /** `always`: holds before every step as well. `start`: the run itself changes it, leadership for one. */
  when: 'start' | 'always'
  /** `skip` is a night without work, `refuse` one that somebody should look at. */
  failing: 'skip' | 'refuse'
  /** The job that it matters to, where it does not matter to all. */
  only?: Policy['job']
  overridden(policy: Policy): boolean
  problem(view: ClusterView): string | undefined
}>

/** In the order they are asked; the first that fails speaks for the run. A new check is one row. */
export const checks: readonly Check[] = [
  {
    name: 'user',
    when: 'always',
    failing: 'refuse',
    overridden: () => false,
    problem: view => {
      const asking = view.members.find(m => isReachable(m) && m.read.kind === 'failed' && m.read.asksForUser)
      return asking === undefined
        ? undefined
        : 'etcd asks for a user: set --user and --password-file (authentication is on)'
    },
  },
  {
    name: 'localAnswers',
    when: 'start',
    failing: 'refuse',
    overridden: policy => policy.forceUnhealthy,
    problem: view => {
      const local = find(view, view.local)
      if (local !== undefined && isReachable(local)) return undefined
      const who = local === undefined ? 'the local member' : `the local member ${labelOf(local.member)}`
      return `${who} does not answer${local === undefined ? ' at the first endpoint' : `: ${local.problem}`}; look at etcd on this node, or override with --force-unhealthy`
    },
  },
  {
    name: 'leaderAgreed',
    when: 'always',
    failing: 'refuse',
    overridden: policy => policy.forceUnhealthy,
    problem: view =>
      leaderOf(view) === undefined
        ? `there is no leader that all members agree on (${troubles(view) ?? 'none is named'}); wait for the election or override with --force-unhealthy`
        : undefined,
  },
  {
    name: 'localLeads',
    only: 'nightly',
    when: 'start',
    failing: 'skip',
    overridden: policy => policy.forceNonleader,
    problem: view => {
      const leader = leaderOf(view)
      // Without a leader no other node does the work; whether it is done at all is for the check above.
      if (leader === undefined || leader.id === view.local) return undefined
      const local = find(view, view.local)
      const who = local === undefined ? 'the local member' : labelOf(local.member)
      return `${who} is not the leader (${labelOf(leader)} leads), so its node leaves the work to the leader's; override with --force-nonleader`
    },
  },
  {
    name: 'clusterSize',
    only: 'nightly',
    when: 'start',
    failing: 'skip',
    overridden: policy => policy.forceSingle,
    problem: view =>
      voters(view).length > 1
        ? undefined
        : 'the cluster has a single voting member, which would be out while it is defragmented; override with --force-single, or force-single: true in the configuration file',
  },
  {
    name: 'versions',
    only: 'nightly',
    when: 'start',
    failing: 'refuse',
    overridden: policy => policy.forceVersion,
    problem: view => {
      const flaws = flawsOf(view, 'refuse')
      return flaws.length === 0
        ? undefined
        : `${flaws.join('; ')}; upgrade etcd or override with --force-version`
    },
  },
  {
    name: 'allHealthy',
    when: 'always',
    failing: 'refuse',
    overridden: policy => policy.forceUnhealthy,
    problem: view => {
      const trouble = troubles(view)
      return trouble === undefined
        ? undefined
        : `${trouble}; mend it first or override with --force-unhealthy`
    },
  },
]
