import { mulberry32 } from '../lab/random.js'
import { Draw } from './draw.js'
import { meta, object, type Stored, workload } from './objectFrame.js'
import { map, part } from './wire.js'

export function configMap(draw: Draw, n: number): Stored {
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

export function secret(draw: Draw, n: number): Stored {
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

const pem = (what: string, base64: string): string =>
  `-----BEGIN ${what}-----\n${base64.replaceAll(/(.{64})/g, '$1\n')}\n-----END ${what}-----\n`

/** The frame of a certificate repeats: version, algorithms, names; key and signature do not. */
const certificate = (draw: Draw): string =>
  pem(
    'CERTIFICATE',
    `MIIDBTCCAe2gAwIBAgIQ${draw.base64(22)}MA0GCSqGSIb3DQEBCwUAMBUxEzARBgNVBAMTCmt1YmVybmV0ZXMwHhcN${draw.base64(900)}`,
  )

const rootCertificate = certificate(new Draw(mulberry32(1)))
