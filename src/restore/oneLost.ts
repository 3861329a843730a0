import { join } from 'node:path'
import { initialClusterText, isOdd, type NamedUrl } from './identity.js'
import {
  hostOfUrl,
  type RunbookRequest,
  STOPPED,
  starting,
  startingControlPlane,
  stopping,
  type Way,
} from './onNodes.js'
import type { Runtime } from './runtime.js'
import { quote, shellLine } from './shell.js'

/**
 * A member that lost its data takes it from the others: a snapshot would bring it up with a past that they do not share.
 * Only where a majority is left, and the cluster is known.
 */
export function oneLost({ provenance, client, runtime, dataDir }: RunbookRequest): readonly Way[] {
  const voters = provenance?.cluster.members.filter(m => !m.learner && m.name !== '') ?? []
  if (voters.length < 3 || voters.some(isOdd)) return []
  return voters.map((lost): Way => {
    const others = voters.filter(m => m !== lost)
    const endpoints = `--endpoints=${others.flatMap(m => m.clientUrls.slice(0, 1)).join(',')}`
    const host = hostOfUrl(lost.peerUrls[0] ?? '')
    const [at] = others
    const cluster: readonly NamedUrl[] = voters.flatMap(m => m.peerUrls.map(url => ({ name: m.name, url })))
    const etcdctl = (...args: readonly string[]) => shellLine(['etcdctl', endpoints, ...client, ...args])
    const there =
      at === undefined ? { node: '', host: '' } : { node: at.name, host: hostOfUrl(at.peerUrls[0] ?? '') }
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
                etcdctl('member', 'list'),
                // Its id of today: a restore has given all members new ones.
                `${etcdctl('member', 'remove')} "$(${etcdctl('member', 'list')} | awk -F', ' -v name=${quote(lost.name)} '$3 == name { print $1 }')"`,
                etcdctl('member', 'add', lost.name, `--peer-urls=${lost.peerUrls.join(',')}`),
              ],
            },
          ],
        },
        {
          title: `Start ${lost.name}`,
          why: 'it takes the data from the leader',
          nodes: [{ node: lost.name, host, commands: joining(runtime, initialClusterText(cluster)) }],
        },
        {
          title: 'Check etcd',
          why: 'it is a started member again',
          nodes: [
            {
              ...there,
              commands: [
                etcdctl('member', 'list'),
                shellLine(['etcd-defrag', 'status', endpoints, ...client]),
              ],
            },
          ],
        },
      ],
    }
  })
}

/**
 * etcd with an empty folder begins a cluster of its own unless it is told to join; kubeadm's manifest of the first node
 * does not say so. It is started only where that is in place.
 */
const joining = (runtime: Runtime, cluster: string): readonly string[] =>
  runtime === 'systemd'
    ? [
        `printf '%s\\n' ${quote(`ETCD_INITIAL_CLUSTER=${cluster}`)} ETCD_INITIAL_CLUSTER_STATE=existing >> /etc/default/etcd`,
        ...starting(runtime),
      ]
    : [
        shellLine([
          ...['sed', '-i', '-e', '/--initial-cluster-state=/d', '-e'],
          `s|^\\( *- \\)--initial-cluster=.*|\\1--initial-cluster=${inSed(cluster)}\\n\\1--initial-cluster-state=existing|`,
          `${STOPPED}/etcd.yaml`,
        ]),
        `grep -q -e --initial-cluster-state=existing ${STOPPED}/etcd.yaml && ${starting(runtime).join(' && ')}`,
        ...startingControlPlane,
      ]

/** As the replacement between the bars of sed's `s` gives it back. */
export const inSed = (text: string): string => text.replaceAll(/[\\&|\n]/g, '\\$&')
