import { dirname } from 'node:path'
import type { MemberRecord } from '../model/backup.js'
import { initialClusterText, type NamedUrl, namesOf } from './identity.js'
import { oneLost } from './oneLost.js'
import {
  hostOf,
  hostOfUrl,
  type Runbook,
  type RunbookRequest,
  type RunbookStep,
  starting,
  startingControlPlane,
  stopping,
  type Way,
} from './onNodes.js'
import { quote, shellLine } from './shell.js'

/** All that is to be done on all nodes, in order. Each command can be pasted into a shell as it is. */
export function runbookOf(request: RunbookRequest): Runbook {
  const { archive, provenance, runtime, cluster, token, notes } = request
  const again = `restoring this archive a second time takes another --initial-cluster-token than ${token}, on all nodes`
  return {
    archive,
    takenAt: provenance?.takenAt,
    revision: provenance?.revision,
    runtime,
    cluster,
    token,
    notes: [...notes, again],
    ways: [restoreAll(request), ...oneLost(request)],
  }
}

function restoreAll(request: RunbookRequest): Way {
  const { cluster, provenance, runtime } = request
  const before = new Set(provenance?.cluster.members.map(m => m.name))
  const isMoved = provenance !== undefined && namesOf(cluster).some(name => !before.has(name))
  const steps = [
    copy(request),
    each(request, 'Check the archive on every node', 'what was copied is what was backed up', () =>
      check(request),
    ),
    each(
      request,
      runtime === 'systemd'
        ? 'Stop what writes to etcd (API servers above all), then etcd on every node'
        : 'Stop etcd and the API servers on every node',
      'no member of the old cluster may run while another begins anew, and no client may write what is lost then',
      () => stopping(runtime),
    ),
    each(
      request,
      'Restore on every node',
      'begin when all are stopped; the old data is set aside as DIR.before-restore-TIME, and nothing is deleted',
      name => [restoreCommand(request, name)],
    ),
    each(
      request,
      'Start etcd on every node',
      'begin when all are restored; the first member waits for a majority',
      () => starting(runtime),
    ),
    each(request, 'Check etcd', 'all endpoints are healthy before anything writes', () => checking(request)),
    ...(runtime === 'static-pod'
      ? [
          each(
            request,
            'Start the control plane on every node',
            'its caches begin anew from the restored state',
            () => startingControlPlane,
          ),
          each(
            request,
            'Restart the kubelets',
            'on the workers too: they hold watches of the lost state',
            () => ['systemctl restart kubelet'],
          ),
        ]
      : []),
  ]
  return {
    id: 'restore',
    title: isMoved ? 'Move the cluster to new nodes' : 'Restore the whole cluster',
    when: isMoved
      ? 'the archive becomes a cluster of other members'
      : 'a majority of the members is lost, or what is in etcd is to go back to the backup: all that was written since is lost',
    steps,
  }
}

const each = (
  { cluster }: RunbookRequest,
  title: string,
  why: string,
  commands: (name: string) => readonly string[],
): RunbookStep => ({
  title,
  why,
  nodes: namesOf(cluster).map(node => ({ node, host: hostOf(cluster, node), commands: commands(node) })),
})

/** From where the archive lies, to all others. */
function copy({ archive, provenance, cluster }: RunbookRequest): RunbookStep {
  const from = provenance?.member.name
  const others = namesOf(cluster).filter(name => name !== from)
  const files = provenance === undefined ? [archive] : [archive, `${archive}.json`]
  const folder = dirname(archive)
  const commands = others.flatMap(name => {
    const host = hostOf(cluster, name)
    const login = `root@${host.replaceAll(/[[\]]/g, '')}` // of ssh and scp, only scp takes an IPv6 address in brackets
    return [
      ...(folder === '/root' ? [] : [shellLine(['ssh', login, `mkdir -p ${quote(folder)}`])]),
      shellLine(['scp', '-p', ...files, `root@${host}:${folder}/`]),
    ]
  })
  return {
    title: 'Copy the archive to every node',
    why: 'all members begin from the same file',
    nodes:
      commands.length === 0
        ? []
        : [{ node: provenance?.host ?? 'the node of the archive', host: '', commands }],
  }
}

const check = ({ archive, archiveSha256 }: RunbookRequest): readonly string[] => [
  `echo ${quote(`${archiveSha256}  ${archive}`)} | sha256sum -c -`,
]

export function restoreCommand(
  { archive, cluster, token, dataDir, bump, flags }: RunbookRequest,
  name: string,
): string {
  const urls = cluster.filter(member => member.name === name).map(({ url }) => url)
  return shellLine([
    ...['etcd-defrag', 'backup', 'restore', archive],
    ...['--data-dir', dataDir],
    ...['--name', name],
    ...['--initial-cluster', initialClusterText(cluster)],
    ...['--initial-advertise-peer-urls', urls.join(',')],
    ...['--initial-cluster-token', token],
    ...(bump > 0 ? ['--bump-revision', String(bump)] : ['--no-bump-revision']),
    ...flags,
  ])
}

function checking(request: RunbookRequest): readonly string[] {
  const there = [`--endpoints=${clientUrls(request).join(',')}`, ...request.client]
  return [
    shellLine(['etcdctl', ...there, 'endpoint', 'health']),
    shellLine(['etcd-defrag', 'status', ...there]),
  ]
}

/** Those of when the backup was made, or etcd's own port at the address of the peer URL. */
function clientUrls({ cluster, provenance }: RunbookRequest): readonly string[] {
  return namesOf(cluster).map(name => {
    const known = provenance?.cluster.members.find(m => m.name === name && isSamePlace(m, cluster))
    const [url] = known?.clientUrls ?? []
    const peer = cluster.find(member => member.name === name)?.url ?? ''
    return url ?? `${peer.startsWith('https:') ? 'https' : 'http'}://${hostOfUrl(peer)}:2379`
  })
}

const isSamePlace = (member: MemberRecord, cluster: readonly NamedUrl[]): boolean =>
  member.peerUrls.some(url => cluster.some(m => m.name === member.name && m.url === url))
