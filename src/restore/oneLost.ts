import { join } from 'node:path'
import { initialClusterText, type NamedUrl } from './identity.js'
import { hostOfUrl, type RunbookRequest, starting, stopping, type Way } from './onNodes.js'
import { quote, shellLine } from './shell.js'

/**
 * A member that lost its data takes it from the others: a snapshot would bring it up with a past that they do not share.
 * Only where a majority is left, and the cluster is known.
 */
export function oneLost({ provenance, client, runtime, dataDir }: RunbookRequest): readonly Way[] {
  const voters = provenance?.cluster.members.filter(m => !m.learner && m.name !== '') ?? []
  if (voters.length < 3) return []
  return voters.map((lost): Way => {
    const others = voters.filter(m => m !== lost)
    const endpoints = `--endpoints=${others.flatMap(m => m.clientUrls.slice(0, 1)).join(',')}`
    const host = hostOfUrl(lost.peerUrls[0] ?? '')
    const [at] = others
    const cluster: readonly NamedUrl[] = voters.flatMap(m => m.peerUrls.map(url => ({ name: m.name, url })))
    const etcdctl = (...args: readonly string[]) => shellLine(['etcdctl', endpoints, ...client, ...args])
    const there =
      at === undefined ? { node: '', host: '' } : { node: at.name, host: hostOfUrl(at.peerUrls[0] ?? '') }
    const flags =
      runtime === 'systemd'
        ? `/etc/default/etcd: ETCD_INITIAL_CLUSTER=${initialClusterText(cluster)} ETCD_INITIAL_CLUSTER_STATE=existing`
        : `/root/stopped-manifests/etcd.yaml: --initial-cluster=${initialClusterText(cluster)} --initial-cluster-state=existing`
    return {
      id: 'oneLost',
      title: `Replace ${lost.name} alone`,
      when: `only ${lost.name} lost its data, and the others work: do not restore a backup there`,
      steps: [
        {
          title: `Stop what is left of ${lost.name} and set its data aside`,
          why: 'a new member begins with nothing',
          nodes: [
            {
              node: lost.name,
              host,
              commands: [
                ...stopping(runtime),
                // The folder itself may be a disk of its own, which cannot be renamed.
                `mv ${quote(join(dataDir, 'member'))} ${quote(join(dataDir, 'member'))}.lost-$(date -u +%Y%m%dT%H%M%SZ)`,
              ],
            },
          ],
        },
        {
          title: 'Tell the others',
          why: 'remove first, so that it never counts twice; on a node that works',
          nodes: [
            {
              ...there,
              commands: [
                etcdctl('member', 'remove', lost.id),
                etcdctl('member', 'add', lost.name, `--peer-urls=${lost.peerUrls.join(',')}`),
              ],
            },
          ],
        },
        {
          title: `Start ${lost.name}`,
          why: 'it takes the data from the leader',
          nodes: [{ node: lost.name, host, commands: [`# ${flags}`, ...starting(runtime)] }],
        },
        {
          title: 'Check etcd',
          why: 'it is a started member again',
          nodes: [{ ...there, commands: [etcdctl('member', 'list'), 'etcd-defrag status'] }],
        },
      ],
    }
  })
}
