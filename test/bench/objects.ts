import { mulberry32 } from '../lab/random.js'
import { Draw } from './draw.js'
import { bytesOf, type Message, map, number, part } from './wire.js'

/**
 * Objects as kube-apiserver stores them: `k8s\0` and a runtime.Unknown around the object's own protobuf
 * (k8s.io/apimachinery: pkg/runtime/serializer/protobuf, pkg/runtime/generated.proto, pkg/apis/meta/v1/generated.proto).
 * What repeats in a cluster repeats: names of fields, labels, images, managedFields, the CA that stands in each
 * namespace. What is random there is random: uids, pod suffixes, hashes, addresses, tokens, certificates, releases of
 * helm. The same seed gives the same bytes.
 */
export type Stored = Readonly<{ key: string; value: Buffer }>

/** By whom it lives on: `kept` until the end, `hot` is written over again and again, `passing` is deleted. */
export type Kind = keyof typeof kinds

const BEGAN = 1_760_000_000 // s since the epoch; a date that does not move keeps the bytes the same
const teams = ['payments', 'search', 'checkout', 'identity', 'reports', 'mail', 'catalog', 'billing']
const tiers = ['api', 'worker', 'cache', 'web', 'cron', 'proxy', 'db', 'queue']
const NODES = 60

const time = (at: number): Message => number(1, at)

type About = Readonly<{
  name: string
  namespace: string
  labels?: Readonly<Record<string, string>>
  annotations?: Readonly<Record<string, string>>
  owner?: Readonly<{ kind: string; name: string }>
  manager: string
  /** The paths of fields that the manager set, as managedFields lists them. */
  fields?: readonly string[]
}>

/** metav1.ObjectMeta. */
function meta(draw: Draw, about: About): Message {
  const { name, namespace, labels = {}, annotations = {}, owner, manager, fields = [] } = about
  const at = BEGAN + draw.below(2_000_000)
  const owned =
    owner === undefined
      ? ''
      : part(
          13,
          part(1, owner.kind) +
            part(3, owner.name) +
            part(4, draw.uuid()) +
            part(5, 'apps/v1') +
            number(6, 1) +
            number(7, 1),
        )
  const set = fields.map(field => `"f:${field}":{}`).join(',')
  const managed = (by: string) =>
    part(
      17,
      part(1, by) +
        part(2, 'Update') +
        part(3, 'v1') +
        part(4, time(at)) +
        part(6, 'FieldsV1') +
        part(7, part(1, `{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{${set}}}`)),
    )
  return (
    part(1, name) +
    part(3, namespace) +
    part(5, draw.uuid()) +
    part(6, '') +
    number(7, 1) +
    part(8, time(at)) +
    map(11, labels) +
    map(12, annotations) +
    owned +
    managed(manager) +
    (fields.length > 9 ? managed('kubelet') : '')
  )
}

const podFields = [
  ...[
    'containers',
    'k:{\\"name\\":\\"main\\"}',
    'image',
    'imagePullPolicy',
    'livenessProbe',
    'failureThreshold',
  ],
  ...[
    'httpGet',
    'path',
    'port',
    'scheme',
    'periodSeconds',
    'successThreshold',
    'timeoutSeconds',
    'name',
    'env',
  ],
  ...[
    'resources',
    'limits',
    'requests',
    'cpu',
    'memory',
    'terminationMessagePath',
    'terminationMessagePolicy',
  ],
  ...['volumeMounts', 'dnsPolicy', 'enableServiceLinks', 'restartPolicy', 'schedulerName', 'securityContext'],
  ...[
    'serviceAccount',
    'serviceAccountName',
    'terminationGracePeriodSeconds',
    'volumes',
    'projected',
    'sources',
  ],
  ...[
    'conditions',
    'k:{\\"type\\":\\"Ready\\"}',
    'lastProbeTime',
    'lastTransitionTime',
    'status',
    'type',
    'hostIP',
  ],
]

/** Replicas of one workload have all of its template in common; a new one comes for every forty objects. */
function workload(n: number) {
  const of = Math.floor(n / 40) * 7 + (n % 7)
  const template = new Draw(mulberry32(of))
  const team = teams[of % teams.length] ?? ''
  const tier = tiers[Math.floor(of / teams.length) % tiers.length] ?? ''
  const app = `${team}-${tier}-${of}`
  const hash = template.suffix(10)
  return {
    template,
    team,
    app,
    hash,
    namespace: `team-${team}`,
    labels: { app, team, 'pod-template-hash': hash },
  }
}

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

function pod(draw: Draw, n: number): Stored {
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

function replicaSet(draw: Draw, n: number): Stored {
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

function configMap(draw: Draw, n: number): Stored {
  const { app, namespace } = workload(n)
  // A quarter are the CA that the controller manager puts into each namespace: the same bytes each time.
  const isRoot = draw.below(4) === 0
  const name = isRoot ? `kube-root-ca-${n}.crt` : `${app}-config-${n}`
  const lines = () =>
    Array.from(
      { length: 20 + draw.below(draw.below(8) === 0 ? 400 : 60) },
      (_, i) =>
        `${draw.word()}.${draw.word()}.${i}: ${draw.below(3) === 0 ? draw.below(100_000) : draw.word()}\n`,
    ).join('')
  const data = isRoot ? { 'ca.crt': rootCertificate } : { 'application.yaml': lines(), 'log.level': 'info' }
  const about = { name, namespace, labels: { app }, manager: 'helm', fields: Object.keys(data) }
  return object(
    `/registry/configmaps/${namespace}/${name}`,
    'v1',
    'ConfigMap',
    part(1, meta(draw, about)) + map(2, data),
  )
}

function secret(draw: Draw, n: number): Stored {
  const { app, namespace } = workload(n)
  const release = draw.below(6) === 0
  const name = release ? `sh.helm.release.v1.${app}.v${n}` : `${app}-tls-${n}`
  // A release is gzip in base64: nothing of it can be made smaller but its alphabet.
  const data: Record<string, string> = release
    ? { release: draw.base64(4_000 + draw.below(16_000)) }
    : {
        'tls.crt': certificate(draw),
        'tls.key': pem('EC PRIVATE KEY', draw.base64(164)),
        'ca.crt': rootCertificate,
      }
  const about = {
    name,
    namespace,
    labels: { app },
    manager: release ? 'helm' : 'cert-manager',
    fields: Object.keys(data),
  }
  const type = release ? 'helm.sh/release.v1' : 'kubernetes.io/tls'
  return object(
    `/registry/secrets/${namespace}/${name}`,
    'v1',
    'Secret',
    part(1, meta(draw, about)) + map(2, data) + part(3, type),
  )
}

function endpointSlice(draw: Draw, n: number): Stored {
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

function event(draw: Draw, n: number): Stored {
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

function lease(draw: Draw, n: number): Stored {
  const name = `worker-${n % NODES}`
  const about = { name, namespace: 'kube-node-lease', owner: { kind: 'Node', name }, manager: 'kubelet' }
  const spec = part(1, name) + number(2, 40) + part(4, time(BEGAN + n * 10) + number(2, draw.below(1e9)))
  return object(
    `/registry/leases/kube-node-lease/${name}`,
    'coordination.k8s.io/v1',
    'Lease',
    part(1, meta(draw, about)) + part(2, spec),
  )
}

/** Its status with the list of images is written every few minutes. */
function node(draw: Draw, n: number): Stored {
  const name = `worker-${n % NODES}`
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
  }
  const images = Array.from({ length: 50 }, (_, i) => {
    const image = mulberry32(i) // the same images on all nodes
    const digest = Array.from({ length: 64 }, () => Math.floor(image() * 16).toString(16)).join('')
    return part(
      8,
      part(1, `registry.internal/${teams[i % 8]}-${tiers[i % 7]}@sha256:${digest}`) + number(2, 1e8 + i),
    )
  })
  const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map(type =>
    part(
      4,
      part(1, type) + part(2, 'False') + part(3, time(BEGAN + n)) + part(6, `kubelet has sufficient ${type}`),
    ),
  )
  const body =
    part(1, meta(draw, { name, namespace: '', labels, manager: 'kubelet' })) +
    part(3, conditions.join('') + images.join(''))
  return object(`/registry/minions/${name}`, 'v1', 'Node', body)
}

export const kinds = {
  pod,
  replicaSet,
  configMap,
  secret,
  endpointSlice,
  event,
  lease,
  node,
} satisfies Record<string, (draw: Draw, n: number) => Stored>

/** The `n`th object of its kind: the same for the same seed. */
export const objectOf = (kind: Kind, n: number, seed: number): Stored =>
  kinds[kind](
    new Draw(
      mulberry32(
        Math.imul(seed, 0x9e3779b1) ^
          Math.imul(n, 0x85ebca6b) ^
          (kind.length * 0x1000193) ^
          kind.charCodeAt(0),
      ),
    ),
    n,
  )

/** runtime.Unknown around it, behind the four bytes that tell protobuf from JSON. */
function object(key: string, apiVersion: string, kind: string, raw: Message): Stored {
  const unknown = part(1, part(1, apiVersion) + part(2, kind)) + part(2, raw) + part(3, '') + part(4, '')
  return { key, value: bytesOf(`k8s\0${unknown}`) }
}

const pem = (what: string, base64: string): string =>
  `-----BEGIN ${what}-----\n${base64.replaceAll(/(.{64})/g, '$1\n')}\n-----END ${what}-----\n`

/** The frame of a certificate repeats: version, algorithms, names; key and signature do not. */
const certificate = (draw: Draw): string =>
  pem(
    'CERTIFICATE',
    `MIIDBTCCAe2gAwIBAgIQ${draw.base64(22)}MA0GCSqGSIb3DQEBCwUAMBUxEzARBgNVBAMTCmt1YmVybmV0ZXMwHhcN${draw.base64(900)}`,
  )

const rootCertificate = certificate(new Draw(mulberry32(1)))
