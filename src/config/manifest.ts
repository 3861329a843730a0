import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** etcd's flags without their dashes, with paths as the host sees them. */
export type EtcdFlags = Readonly<Record<string, string>>

type Pod = Readonly<{
  spec?: Readonly<{
    containers?: readonly Container[]
    volumes?: readonly Readonly<{ name?: string; hostPath?: Readonly<{ path?: string }> }>[]
  }>
}>
/** Kubernetes' API: a container is killed after so many failed probes in a row, one each period. */
type Probe = Readonly<{ periodSeconds?: number; timeoutSeconds?: number; failureThreshold?: number }>
type Container = Readonly<{
  livenessProbe?: Probe
  command?: readonly unknown[]
  args?: readonly unknown[]
  env?: readonly Readonly<{ name?: string; value?: unknown }>[]
  volumeMounts?: readonly Readonly<{ name?: string; mountPath?: string }>[]
}>

/** Flags whose value is a path inside the container. */
const pathFlags = [
  'data-dir',
  'wal-dir',
  'cert-file',
  'key-file',
  'trusted-ca-file',
  'peer-cert-file',
  'peer-key-file',
]

export type Manifest = Readonly<{
  flags: EtcdFlags
  /** How long etcd may be silent without a risk of being killed by the kubelet. */
  silenceMs: number | undefined
}>

/**
 * etcd's flags and probe from its static pod; undefined where there is no such file. Throws Error, in words for a note,
 * when it is there and cannot be understood.
 */
export async function readManifest(file: string): Promise<Manifest | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`${file}: cannot be read (${error.code})`)
  })
  if (text === undefined) return undefined
  const { parse } = await import('yaml') // there is something to read
  let pod: Pod | null
  try {
    pod = parse(text) as Pod | null
  } catch (error) {
    throw new Error(`${file}: is not YAML: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
  }
  const words = (c: Container) => [...list(c?.command), ...list(c?.args)].map(String)
  const container = list(pod?.spec?.containers).find(c => /(^|\/)etcd$/.test(words(c)[0] ?? ''))
  if (container === undefined) throw new Error(`${file}: no container there runs etcd`)

  const flags = { ...flagsFromEnv(container), ...flagsFrom(words(container)) }
  const mounts = list(container.volumeMounts)
  const volumes = list(pod?.spec?.volumes)
  for (const name of pathFlags) {
    const inside = flags[name]
    if (inside !== undefined) flags[name] = hostPath(inside, mounts, volumes)
  }
  return { flags, silenceMs: silenceOf(container.livenessProbe) }
}

/** A silence that is shorter cannot hold as many probes as it takes; defaults are Kubernetes' own (core/v1, Probe). */
function silenceOf(probe: Probe | undefined): number | undefined {
  if (probe === undefined) return undefined
  const { periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 } = probe
  const seconds = Math.max((failureThreshold - 1) * periodSeconds, timeoutSeconds)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined
}

const list = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : [])

/** `--name=value` and `--name value`, one or two dashes, as Go's flag package takes them. */
function flagsFrom(words: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {}
  for (const [i, word] of words.entries()) {
    const [, name, value] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) continue
    const next = words[i + 1]
    flags[name] = value ?? (next === undefined || next.startsWith('-') ? 'true' : next)
  }
  return flags
}

function flagsFromEnv(container: Container): Record<string, string> {
  const flags: Record<string, string> = {}
  for (const { name, value } of list(container.env))
    if (name?.startsWith('ETCD_') && value !== undefined)
      flags[name.slice(5).toLowerCase().replaceAll('_', '-')] = String(value)
  return flags
}

function hostPath(
  inside: string,
  mounts: NonNullable<Container['volumeMounts']>,
  volumes: NonNullable<NonNullable<Pod['spec']>['volumes']>,
): string {
  const mount = mounts
    .filter(({ mountPath }) => mountPath !== undefined && !relative(mountPath, inside).startsWith('..'))
    .sort((a, b) => (b.mountPath?.length ?? 0) - (a.mountPath?.length ?? 0))[0]
  const host = volumes.find(v => v.name === mount?.name)?.hostPath?.path
  return host === undefined || mount?.mountPath === undefined
    ? inside
    : join(host, relative(mount.mountPath, inside))
}

/** The client URL by which this node reaches its own member; loopback where etcd listens there. */
export function localClientUrl(flags: EtcdFlags): string | undefined {
  const urls = (flags['listen-client-urls'] ?? flags['advertise-client-urls'] ?? '')
    .split(',')
    .filter(url => url !== '')
  const loopback = urls.find(url => /\/\/(127\.|localhost|\[::1\])/.test(url))
  return (loopback ?? urls[0])?.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}
