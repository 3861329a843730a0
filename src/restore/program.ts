import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../model/fault.js'
import { PATH } from '../system/exec.js'
import { runToEnd } from './child.js'
import { processIds } from './processes.js'

export type ProgramName = 'etcdutl' | 'etcdctl' | 'etcd'
export type Program = Readonly<{
  path: string
  name: ProgramName
  version: string
  /** Can move the revision forward as it restores. */
  bumps: boolean
}>

export type Need = Readonly<{
  /** Of the etcd that wrote the data, where it is known. */
  dataVersion: string | undefined
  bump: boolean
}>

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', ...PATH.split(':')]

/** Where containerd, CRI-O and Docker unpack the layers of images; etcd's programs are static, and run on the host. */
const LAYERS = [
  ['/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots', 'fs'],
  ['/var/lib/rancher/rke2/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots', 'fs'],
  ['/var/lib/containers/storage/overlay', 'diff'],
  ['/var/lib/docker/overlay2', 'diff'],
] as const

/** All places where a program of that name could be, likeliest first. */
async function* places(names: readonly ProgramName[]): AsyncGenerator<string> {
  for (const name of names) for (const folder of FOLDERS) yield join(folder, name)
  for (const id of await processIds()) {
    const program = await readlink(`/proc/${id}/exe`).catch(() => '') // it has ended, or is not ours to see
    if (!/\/etcd$/.test(program)) continue
    const root = (await isOwnRoot(id)) ? '' : `/proc/${id}/root`
    for (const name of names) yield join(root, dirname(program), name)
  }
  for (const [folder, inside] of LAYERS)
    for (const layer of (await readdir(folder).catch(() => [])).toReversed())
      for (const name of names) yield join(folder, layer, inside, 'usr/local/bin', name)
}

async function isOwnRoot(id: string): Promise<boolean> {
  const identity = async (path: string) => {
    const { dev, ino } = await stat(path)
    return `${dev}:${ino}`
  }
  return (await identity(`/proc/${id}/root/`).catch(() => '')) === (await identity('/'))
}

/** Why a file must not be run as root; undefined where it may, or throws as lstat does where there is none. */
export async function danger(path: string): Promise<string | undefined> {
  const own = (await stat('/proc/self')).uid
  const [file, folder] = [await lstat(path), await stat(dirname(path))]
  if (!file.isFile()) return 'it is not a regular file'
  if (file.uid !== 0 && file.uid !== own) return `it belongs to user ${file.uid}`
  if ((file.mode & 0o022) !== 0) return `others may write to it (mode ${(file.mode & 0o7777).toString(8)})`
  if ((file.mode & 0o111) === 0) return 'it is not executable'
  if (
    (folder.uid !== 0 && folder.uid !== own) ||
    ((folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0)
  )
    return `others may write to its folder ${dirname(path)}`
  return undefined
}

const minorOf = (version: string): readonly [number, number] => {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return [Number(major), Number(minor)]
}

/** Negative where `a` is of an older minor release than `b`. */
export function compareMinors(a: string, b: string): number {
  const [x, y] = [minorOf(a), minorOf(b)]
  return x[0] - y[0] || x[1] - y[1]
}

/** What the program says it is; undefined where it is none of etcd's. */
async function identify(path: string, signal: AbortSignal): Promise<Program | undefined> {
  const ask = (...args: readonly string[]) =>
    runToEnd([path, ...args], { signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)]) }).then(
      ({ stdout, stderr }) => `${stdout}\n${stderr}`,
      () => {
        signal.throwIfAborted()
        return '' // it cannot be started here, or does not end
      },
    )
  const [, server] = /^etcd Version: (\S+)/m.exec(await ask('--version')) ?? []
  if (server !== undefined) return { path, name: 'etcd', version: server, bumps: false }
  const [, name, version] = /^(etcdutl|etcdctl) version: (\S+)/m.exec(await ask('version')) ?? []
  if (version === undefined) return undefined
  const help = await ask('snapshot', 'restore', '--help')
  if (!help.includes('--initial-cluster-token')) return undefined // etcdctl of 3.6 restores no more
  return { path, name: name as ProgramName, version, bumps: help.includes('--mark-compacted') }
}

/** Why it does not do for the data; undefined where it does. */
function unfit({ path, name, version, bumps }: Program, { dataVersion, bump }: Need): string | undefined {
  const what = `${path} (${name} ${version})`
  if (dataVersion !== undefined && compareMinors(version, dataVersion) < 0)
    return `${what} is older than the data, which etcd ${dataVersion} wrote`
  if (bump && !bumps)
    return `${what} cannot move the revision forward (etcdctl from 3.4.27 and etcdutl from 3.5.10 on can), without which Kubernetes' watchers miss the step back; take another with --etcdutl FILE, or go without: --no-bump-revision`
  return undefined
}

type Search = Readonly<{ names: readonly ProgramName[]; option: string; need: Need; signal: AbortSignal }>

/**
 * The program that the operator named, or the first found that fits; one of the data's own minor release goes before
 * newer ones. Throws a `refused` fault, whose words begin with what is in the way of each that was found.
 */
export async function findProgram(
  named: string | undefined,
  { names, option, need, signal }: Search,
  otherwise: string,
): Promise<Program> {
  const refuse = (problem: string) => new Failure({ kind: 'refused', check: 'program', problem })
  const fits = async (path: string): Promise<Program | string | undefined> => {
    const file = named === undefined && path.startsWith('/proc/') ? path : await realpath(path)
    const risk = await danger(file)
    if (risk !== undefined) return `${file} is not run: ${risk}`
    const program = await identify(file, signal)
    if (program === undefined || !names.includes(program.name))
      return `${file} is not ${names.join(' or ')} that could do it`
    return unfit(program, need) ?? program
  }
  if (named !== undefined) {
    const found = await fits(named).catch(error => {
      signal.throwIfAborted()
      return `${named} cannot be used (${error.code ?? error})`
    })
    if (typeof found === 'object') return found
    throw refuse(`${option}: ${found}`)
  }
  const problems: string[] = []
  const seen = new Set<string>()
  let newer: Program | undefined
  for await (const path of places(names)) {
    if (seen.has(path)) continue
    seen.add(path)
    const found = await fits(path).catch(error => {
      signal.throwIfAborted()
      if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(error.code)) throw error
      return undefined
    })
    if (typeof found === 'string') problems.push(found)
    else if (found !== undefined) {
      if (need.dataVersion === undefined || compareMinors(found.version, need.dataVersion) === 0) return found
      newer ??= found
    }
  }
  if (newer !== undefined) return newer
  const what = problems.length > 0 ? problems.join('; ') : `no ${names.join(' or ')} is on this node`
  throw refuse(`${what}. ${otherwise}`)
}
