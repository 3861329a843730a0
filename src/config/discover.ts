import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { firstClientPair, isReadable } from './certificates.js'
import { type EtcdFlags, localClientUrl, readManifest } from './manifest.js'
import type { Found, Source } from './sources.js'

export type Discovery = Readonly<{
  found: Source
  /** etcd's --quota-backend-bytes, where it is set. */
  quota: Found | undefined
  /** What stood in the way of a better answer. */
  notes: readonly string[]
}>

const MANIFEST = '/etc/kubernetes/manifests/etcd.yaml'
const KUBEADM_PKI = '/etc/kubernetes/pki/etcd'
const DEBIAN = '/etc/default/etcd'

/**
 * What this node itself says of its etcd: kubeadm's static pod, kubeadm's default paths, the embedded etcd of
 * k3s and RKE2, Debian's package; the first that is there. Never throws: what cannot be read is a note.
 */
export async function discover(): Promise<Discovery> {
  const notes: string[] = []
  for (const place of [kubeadmManifest, kubeadmDefaults, k3s, rke2, debian]) {
    try {
      const discovery = await place()
      if (discovery !== undefined) return { ...discovery, notes: [...notes, ...discovery.notes] }
    } catch (error) {
      notes.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { found: {}, quota: undefined, notes }
}

async function kubeadmManifest(): Promise<Discovery | undefined> {
  const manifest = await readManifest(MANIFEST)
  if (manifest === undefined) return undefined
  const { flags, silenceMs } = manifest
  const at = (flag: string): Found | undefined => {
    const text = flags[flag]
    return text === undefined ? undefined : { text, where: `${MANIFEST} --${flag}` }
  }
  const pki = flags['cert-file'] === undefined ? KUBEADM_PKI : dirname(flags['cert-file'])
  const pair = await firstClientPair([
    { cert: at('cert-file'), key: at('key-file') },
    { cert: at('peer-cert-file'), key: at('peer-key-file') },
    kubeadmPair(pki, 'healthcheck-client'),
    kubeadmPair(pki, 'peer'),
  ])
  const notes =
    pair === undefined && flags['client-cert-auth'] === 'true'
      ? [`${MANIFEST}: no client certificate there can be read`]
      : []
  return {
    found: defined({
      endpoints: clientUrl(flags, MANIFEST),
      cacert: at('trusted-ca-file'),
      ...pair,
      'data-dir': at('data-dir'),
      'max-stall':
        silenceMs === undefined ? undefined : { text: `${silenceMs}ms`, where: `${MANIFEST} livenessProbe` },
    }),
    quota: at('quota-backend-bytes'),
    notes,
  }
}

async function kubeadmDefaults(): Promise<Discovery | undefined> {
  const ca = join(KUBEADM_PKI, 'ca.crt')
  const pair = await firstClientPair([
    kubeadmPair(KUBEADM_PKI, 'healthcheck-client'),
    kubeadmPair(KUBEADM_PKI, 'peer'),
  ])
  if (pair === undefined || !(await isReadable(ca))) return undefined
  const where = `kubeadm's ${KUBEADM_PKI}`
  const found = { endpoints: { text: 'https://127.0.0.1:2379', where }, cacert: { text: ca, where }, ...pair }
  return { found, quota: undefined, notes: [] }
}

const k3s = () => embedded('k3s')
const rke2 = () => embedded('rke2')

/**
 * docs.k3s.io and docs.rke2.io name these paths for use with etcdctl. The certificates are on every server (k3s:
 * pkg/daemons/control/deps/deps.go, genETCDCerts), also where the data is in SQLite or in a database elsewhere.
 */
async function embedded(name: 'k3s' | 'rke2'): Promise<Discovery | undefined> {
  const server = `/var/lib/rancher/${name}/server`
  const tls = join(server, 'tls/etcd')
  const where = `${name}'s ${tls}`
  const pair = await firstClientPair([
    { cert: { text: join(tls, 'client.crt'), where }, key: { text: join(tls, 'client.key'), where } },
  ])
  if (pair === undefined) return undefined
  const found: Source = {
    endpoints: { text: 'https://127.0.0.1:2379', where, ifAny: true },
    cacert: { text: join(tls, 'server-ca.crt'), where },
    ...pair,
    'data-dir': { text: join(server, 'db/etcd'), where: `${name}'s ${server}`, ifAny: true },
  }
  return { found, quota: undefined, notes: [] }
}

/** A file of ETCD_* variables, which etcd reads as its flags (Debian's etcd.service, `EnvironmentFile`). */
async function debian(): Promise<Discovery | undefined> {
  const text = await readFile(DEBIAN, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`${DEBIAN}: cannot be read (${error.code})`)
  })
  if (text === undefined) return undefined
  const variables = parseEnv(text)
  const flags: Record<string, string> = {}
  for (const [name, value] of Object.entries(variables))
    if (value !== undefined && name.startsWith('ETCD_') && value !== '')
      flags[name.slice(5).toLowerCase().replaceAll('_', '-')] = value
  const at = (flag: string): Found | undefined => {
    const value = flags[flag]
    return value === undefined
      ? undefined
      : { text: value, where: `${DEBIAN} ETCD_${flag.toUpperCase().replaceAll('-', '_')}` }
  }
  const pair = await firstClientPair([
    { cert: at('cert-file'), key: at('key-file') },
    { cert: at('peer-cert-file'), key: at('peer-key-file') },
  ])
  // Debian's unit sets this where the file does not (etcd.service, `Environment=ETCD_DATA_DIR`). A file that sets nothing
  // is as the package brought it, and stays when the package is removed.
  const usual = { text: '/var/lib/etcd/default', where: `${DEBIAN}, Debian's default` }
  return {
    found: defined({
      endpoints: clientUrl(flags, DEBIAN),
      cacert: at('trusted-ca-file'),
      ...pair,
      'data-dir':
        at('data-dir') ?? (Object.keys(flags).length === 0 ? { ...usual, ifAny: true as const } : usual),
    }),
    quota: at('quota-backend-bytes'),
    notes: [],
  }
}

const kubeadmPair = (folder: string, name: string) => {
  const where = `kubeadm's ${folder}`
  return {
    cert: { text: join(folder, `${name}.crt`), where },
    key: { text: join(folder, `${name}.key`), where },
  }
}

function clientUrl(flags: EtcdFlags, file: string): Found | undefined {
  const text = localClientUrl(flags)
  return text === undefined ? undefined : { text, where: `${file} --listen-client-urls` }
}

const defined = (found: { [K in keyof Source]: Source[K] | undefined }): Source =>
  Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
