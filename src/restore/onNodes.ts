import type { Provenance } from '../model/backup.js'
import { type Identity, type NamedUrl, namesOf } from './identity.js'
import type { Runtime } from './runtime.js'

/** Commands for one node, to be run there as root. */
export type OnNode = Readonly<{ node: string; host: string; commands: readonly string[] }>
export type RunbookStep = Readonly<{ title: string; why: string; nodes: readonly OnNode[] }>
/** What to do in one kind of trouble. */
export type Way = Readonly<{
  id: 'restore' | 'oneLost'
  title: string
  when: string
  steps: readonly RunbookStep[]
}>
export type Runbook = Readonly<{
  archive: string
  takenAt: string | undefined
  revision: number | undefined
  runtime: Runtime
  cluster: readonly NamedUrl[]
  token: string
  notes: readonly string[]
  ways: readonly Way[]
}>

export type RunbookRequest = Readonly<{
  archive: string
  archiveSha256: string
  provenance: Provenance | undefined
  /** Of the restored cluster. */
  cluster: readonly NamedUrl[]
  notes: readonly string[]
  token: string
  dataDir: string
  bump: number
  /** Flags that each restore takes beside those of the cluster. */
  flags: readonly string[]
  runtime: Runtime
  /** Certificate flags for etcdctl. */
  client: readonly string[]
}>

/** Where kubeadm keeps what the kubelet starts, and where the runbook puts it meanwhile. */
const MANIFESTS = '/etc/kubernetes/manifests'
export const STOPPED = '/root/stopped-manifests'
const PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const

export const hostOf = (cluster: readonly NamedUrl[], name: string): string =>
  hostOfUrl(cluster.find(member => member.name === name)?.url ?? '')

export const hostOfUrl = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '')

export const stopping = (runtime: Runtime): readonly string[] =>
  runtime === 'systemd'
    ? [
        'systemctl stop etcd',
        'while pgrep -x etcd > /dev/null; do echo waiting for etcd to end; sleep 1; done',
      ]
    : [
        `mkdir -p ${STOPPED}`,
        `for pod in ${PODS.join(' ')}; do [ ! -e ${MANIFESTS}/$pod.yaml ] || mv ${MANIFESTS}/$pod.yaml ${STOPPED}/; done`,
        // One by one: pgrep counts the letters of a pattern, and warns of those that the kernel would cut off.
        `while { ${PODS.map(pod => `pgrep -x ${pod.slice(0, 15)}`).join(' || ')}; } > /dev/null; do echo waiting for them to end; sleep 1; done`,
      ]

export const starting = (runtime: Runtime): readonly string[] =>
  runtime === 'systemd' ? ['systemctl start etcd'] : [`mv ${STOPPED}/etcd.yaml ${MANIFESTS}/`]

export const startingControlPlane: readonly string[] = [
  `for pod in ${PODS.filter(pod => pod !== 'etcd').join(' ')}; do [ ! -e ${STOPPED}/$pod.yaml ] || mv ${STOPPED}/$pod.yaml ${MANIFESTS}/; done`,
  'until kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw=/readyz; do sleep 2; done',
]

/** What is left to do on and around a node that was just restored. */
export function nextSteps(identity: Identity, runtime: Runtime): readonly string[] {
  const others = namesOf(identity.cluster).filter(name => name !== identity.name)
  return [
    ...(others.length === 0
      ? []
      : [`restore the same archive on the other members (${others.join(', ')}), before any of them starts`]),
    runtime === 'static-pod'
      ? `start etcd: mv ${STOPPED}/etcd.yaml ${MANIFESTS}/ (or from where you moved it)`
      : 'start etcd: systemctl start etcd',
    'check it: etcd-defrag status (a run that it names as at work came with the backup, and goes within minutes)',
    ...(runtime === 'static-pod'
      ? [
          'move the other manifests back, wait for kubectl get --raw=/readyz, then systemctl restart kubelet on all nodes',
        ]
      : ['start what uses it, from a fresh state: API servers, controllers, schedulers, kubelets']),
  ]
}
