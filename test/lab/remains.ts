import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Cluster, type LabMember, until } from './cluster.js'
import type { Told } from './told.js'

export type WitnessOptions = Readonly<{
  /** Where the runs put their backup; what is there already counts as the last good one. */
  backupPath?: string
  /** More flags for etcdctl, where authentication is on. */
  etcdctl?: readonly string[]
}>

/** What a later feature may leave under /etcd-defrag/. */
const ownKeys = ['/etcd-defrag/last-run', '/etcd-defrag/pause']

/** Whatever runs took and did not give back, each in words; `leases`: those that were there before. */
export async function remainsOf(
  cluster: Cluster,
  options: WitnessOptions,
  runs: readonly Told[],
  members: readonly LabMember[],
  leases: ReadonlySet<string>,
): Promise<readonly string[]> {
  const lockFile = `/run/etcd-defrag/${await clusterIdOf(cluster, options)}.lock`
  const lastKilled = runs.findLastIndex(run => run.killed)
  // What a SIGKILL leaves behind, the next run that comes as far tidies up.
  const isTidy = runs.slice(lastKilled + 1).some(({ report }) => report?.verdict === 'completed')
  const files = lastKilled < 0 || isTidy ? await leftFiles(lockFile, options) : []
  const processes = await patiently(() => processesOn(lockFile, cluster, members))
  const keys = () => leftKeys(cluster, options, leases)
  return [
    ...files.map(file => `${file} is left`),
    ...processes.map(process => `a process is left: ${process}`),
    // A lease of a killed run ends by itself, and one of a run that says so.
    ...(await (runs.some(run => run.killed || run.keptLock) ? patiently(keys) : keys())),
  ]
}

/** What is still found after a while. */
async function patiently(find: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const isGone = until('nothing is left', async () => (await find()).length === 0)
  return isGone.then(() => [], find)
}

async function leftFiles(lockFile: string, { backupPath }: WitnessOptions): Promise<readonly string[]> {
  const lock = (await readdir(dirname(lockFile)).catch(() => [])).filter(name => name === basename(lockFile))
  if (backupPath === undefined) return lock
  const beside = await readdir(dirname(backupPath))
  const isOurs = (name: string) =>
    name.startsWith(`.${basename(backupPath)}.`) && /\.(spool|partial|provenance)$/.test(name)
  return [...lock, ...beside.filter(isOurs)]
}

/** Whoever has the lock's file open, or was started with a path of this cluster. */
async function processesOn(
  lockFile: string,
  cluster: Cluster,
  members: readonly LabMember[],
): Promise<readonly string[]> {
  const known = new Set([String(process.pid), ...members.map(m => String(m.process?.pid))])
  const ids = (await readdir('/proc')).filter(id => /^\d+$/.test(id) && !known.has(id))
  const found = await Promise.all(
    ids.map(async id => {
      const line = (await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
      const open = await readdir(`/proc/${id}/fd`).catch(() => []) // it has ended meanwhile
      const files = await Promise.all(open.map(fd => readlink(`/proc/${id}/fd/${fd}`).catch(() => '')))
      const isOurs = [line, ...files].some(text => text.includes(lockFile)) || line.includes(cluster.folder)
      return isOurs ? [`${id} ${line}`] : []
    }),
  )
  return found.flat()
}

async function leftKeys(
  cluster: Cluster,
  options: WitnessOptions,
  before: ReadonlySet<string>,
): Promise<readonly string[]> {
  const get = [...(options.etcdctl ?? []), 'get', '/etcd-defrag/', '--prefix', '--keys-only']
  const keys = (await cluster.etcdctl(get)).split('\n').filter(key => key !== '' && !ownKeys.includes(key))
  const leases = [...(await leasesOf(cluster, options))].filter(lease => !before.has(lease))
  return [...keys.map(key => `the key ${key} is left`), ...leases.map(lease => `the lease ${lease} is left`)]
}

export async function leasesOf(
  cluster: Cluster,
  { etcdctl = [] }: WitnessOptions,
): Promise<ReadonlySet<string>> {
  const lines = (await cluster.etcdctl([...etcdctl, 'lease', 'list'])).split('\n')
  return new Set(lines.filter(line => /^[0-9a-f]{8,}$/.test(line)))
}

/** In hex; as text, since JSON numbers do not hold 64 bits. */
async function clusterIdOf(cluster: Cluster, { etcdctl = [] }: WitnessOptions): Promise<string> {
  const status = await cluster.etcdctl([...etcdctl, 'endpoint', 'status', '-w', 'json'])
  return BigInt(/"cluster_id":(\d+)/.exec(status)?.[1] ?? 0).toString(16)
}
