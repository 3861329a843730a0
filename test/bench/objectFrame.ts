import { mulberry32 } from '../lab/random.js'
import { Draw } from './draw.js'
import { bytesOf, type Message, map, number, part } from './wire.js'

/** A key in etcd and the bytes that are stored under it. */
export type Stored = Readonly<{ key: string; value: Buffer }>

export const BEGAN = 1_760_000_000 // s since the epoch; a date that does not move keeps the bytes the same
export const teams = ['payments', 'search', 'checkout', 'identity', 'reports', 'mail', 'catalog', 'billing']
export const tiers = ['api', 'worker', 'cache', 'web', 'cron', 'proxy', 'db', 'queue']
export const NODES = 60

export const time = (at: number): Message => number(1, at)

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
export function meta(draw: Draw, about: About): Message {
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

export const podFields = [
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
export function workload(n: number) {
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

/** runtime.Unknown around it, behind the four bytes that tell protobuf from JSON. */
export function object(key: string, apiVersion: string, kind: string, raw: Message): Stored {
  const unknown = part(1, part(1, apiVersion) + part(2, kind)) + part(2, raw) + part(3, '') + part(4, '')
  return { key, value: bytesOf(`k8s\0${unknown}`) }
}
