import type { Draw } from './draw.js'
import { BEGAN, meta, NODES, object, podFields, type Stored, time, workload } from './objectFrame.js'
import { type Message, map, number, part } from './wire.js'

/** v1.Container, of an application or of the proxy beside it. */
const container = (draw: Draw, name: string, image: string): Message =>
  part(1, name) +
  part(2, `registry.internal/${image}:v1.${draw.below(40)}.${draw.below(20)}`) +
  Array.from({ length: 8 + draw.below(12) }, (_, i) =>
    part(7, part(1, `SETTING_${draw.word().toUpperCase()}_${i}`) + part(2, draw.word())),
  ).join('') +
  part(8, map(1, { cpu: '500m', memory: '512Mi' }) + map(2, { cpu: '100m', memory: '256Mi' })) +
  part(
    9,
    part(1, `kube-api-access-${draw.suffix(5)}`) +
      number(2, 1) +
      part(3, '/var/run/secrets/kubernetes.io/serviceaccount'),
  ) +
  part(
    10,
    part(1, part(1, part(1, '/healthz') + part(2, number(2, 8080)) + part(4, 'HTTP'))) +
      number(2, 10) +
      number(4, 10),
  ) +
  part(13, '/dev/termination-log') +
  part(14, 'IfNotPresent')

export function pod(draw: Draw, n: number): Stored {
  const { template, app, hash, namespace, labels } = workload(n)
  const name = `${app}-${hash}-${draw.suffix(5)}`
  const ip = `10.244.${draw.below(256)}.${draw.below(256)}`
  const about = {
    name,
    namespace,
    labels,
    annotations: {
      'cni.projectcalico.org/containerID': draw.hex(64),
      'cni.projectcalico.org/podIP': `${ip}/32`,
      'prometheus.io/scrape': 'true',
      'checksum/config': draw.hex(64),
    },
    owner: { kind: 'ReplicaSet', name: `${app}-${hash}` },
    manager: 'kube-controller-manager',
    fields: podFields,
  }
  const spec =
    part(1, part(1, `kube-api-access-${draw.suffix(5)}`) + part(2, 'kube-root-ca.crt')) +
    part(2, container(template, 'main', app)) +
    part(2, container(template, 'istio-proxy', 'mesh/proxyv2')) +
    part(3, 'Always') +
    part(10, `worker-${draw.below(NODES)}`) +
    part(19, 'default-scheduler')
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(type =>
    part(2, part(1, type) + part(2, 'True') + part(4, time(BEGAN + draw.below(2_000_000)))),
  )
  const status =
    part(1, 'Running') +
    conditions.join('') +
    part(5, `192.168.${draw.below(8)}.${draw.below(256)}`) +
    part(6, ip) +
    ['main', 'istio-proxy']
      .map(each =>
        part(
          8,
          part(1, each) +
            part(7, `registry.internal/${each}@sha256:${draw.hex(64)}`) +
            part(8, `containerd://${draw.hex(64)}`),
        ),
      )
      .join('')
  return object(
    `/registry/pods/${namespace}/${name}`,
    'v1',
    'Pod',
    part(1, meta(draw, about)) + part(2, spec) + part(3, status),
  )
}

export function replicaSet(draw: Draw, n: number): Stored {
  const { template, app, hash, namespace, labels } = workload(n)
  const owner = { kind: 'Deployment', name: app }
  const about = {
    name: `${app}-${hash}`,
    namespace,
    labels,
    owner,
    manager: 'kube-controller-manager',
    fields: podFields,
  }
  const pods = part(1, map(11, labels)) + part(2, part(2, container(template, 'main', app)))
  const spec = number(1, draw.below(4)) + part(2, map(1, labels)) + part(3, pods)
  return object(
    `/registry/replicasets/${namespace}/${app}-${hash}`,
    'apps/v1',
    'ReplicaSet',
    part(1, meta(draw, about)) + part(2, spec),
  )
}

export function endpointSlice(draw: Draw, n: number): Stored {
  const { app, namespace, labels } = workload(n)
  const name = `${app}-${draw.suffix(5)}`
  const endpoints = Array.from({ length: 2 + draw.below(20) }, () =>
    part(
      2,
      part(1, `10.244.${draw.below(256)}.${draw.below(256)}`) +
        part(2, number(1, 1)) +
        part(
          4,
          part(1, 'Pod') + part(2, namespace) + part(3, `${app}-${draw.suffix(10)}`) + part(4, draw.uuid()),
        ) +
        part(6, `worker-${draw.below(NODES)}`),
    ),
  )
  const about = {
    name,
    namespace,
    labels,
    owner: { kind: 'Service', name: app },
    manager: 'kube-controller-manager',
  }
  return object(
    `/registry/endpointslices/${namespace}/${name}`,
    'discovery.k8s.io/v1',
    'EndpointSlice',
    part(1, meta(draw, about)) + endpoints.join('') + part(4, 'IPv4'),
  )
}

export function event(draw: Draw, n: number): Stored {
  const { app, hash, namespace } = workload(n)
  const pod = `${app}-${hash}-${draw.suffix(5)}`
  const name = `${pod}.${draw.hex(16)}`
  const [reason = '', message = ''] = draw.of<readonly [string, string]>([
    ['Scheduled', `Successfully assigned ${namespace}/${pod} to worker-${draw.below(NODES)}`],
    ['Pulled', `Container image "registry.internal/${app}:v1.${draw.below(40)}" already present on machine`],
    [
      'Unhealthy',
      `Readiness probe failed: Get "http://10.244.${draw.below(256)}.7:8080/healthz": connection refused`,
    ],
    ['BackOff', `Back-off restarting failed container main in pod ${pod}_${namespace}(${draw.uuid()})`],
  ])
  const involved = part(1, 'Pod') + part(2, namespace) + part(3, pod) + part(4, draw.uuid()) + part(5, 'v1')
  const body =
    part(1, meta(draw, { name, namespace, manager: 'kubelet' })) +
    part(2, involved) +
    part(3, reason) +
    part(4, message) +
    part(5, part(1, 'kubelet') + part(2, `worker-${draw.below(NODES)}`)) +
    part(6, time(BEGAN + n)) +
    number(8, 1 + draw.below(9)) +
    part(9, 'Normal')
  return object(`/registry/events/${namespace}/${name}`, 'v1', 'Event', body)
}
