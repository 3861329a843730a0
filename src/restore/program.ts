import { access, lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../model/fault.js'
import { PATH } from '../system/exec.js'
import { runToEnd } from './child.js'
import { holdersOf, identityOf } from './processes.js'

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

/**
 * Where containerd, CRI-O and Docker unpack the layers of images. Whoever may start a pod can have any file there, which
 * belongs to root as well, so what is found there is shown and never run.
 */
const LAYERS = [
  ['/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots', 'fs'],
  ['/var/lib/rancher/rke2/agent/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots', 'fs'],
  ['/var/lib/containers/storage/overlay', 'diff'],
  ['/var/lib/docker/overlay2', 'diff'],
] as const

/**
 * Where a program of that name may be run from, likeliest first: root's own folders, and beside the etcd that has this
 * node's data open. Any other process named etcd may be a stranger's, whose root is root to the kernel too.
 */
async function* places(names: readonly ProgramName[], dataDirs: readonly string[]): AsyncGenerator<string> {
  for (const name of names) for (const folder of FOLDERS) yield join(folder, name)
  for (const id of await holdersOf(await databasesOf(dataDirs))) {
    const program = await readlink(`/proc/${id}/exe`).catch(() => '') // it has ended, or is not ours to see
    if (!/\/etcd$/.test(program)) continue
    const root = (await isOwnRoot(id)) ? '' : `/proc/${id}/root`
    for (const name of names) yield join(root, dirname(program), name)
  }
}

async function databasesOf(dataDirs: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    dataDirs.map(
      dir => stat(join(dir, 'member/snap/db'), { bigint: true }).catch(() => undefined), // none is there
    ),
  )
  return new Set(found.flatMap(file => (file === undefined ? [] : [identityOf(file)])))
}

/** A few of those in unpacked images, for the operator to look at. */
async function inImages(names: readonly ProgramName[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const [folder, inside] of LAYERS)
    for (const layer of (await readdir(folder).catch(() => [])).toReversed())
      for (const name of names) {
        const path = join(folder, layer, inside, 'usr/local/bin', name)
        const isThere = await access(path).then(
          () => true,
          () => false,
        )
        if (isThere) found.push(path)
      }
  return found.slice(0, 5)
}

async function isOwnRoot(id: string): Promise<boolean> {
  const identity = async (path: string) => identityOf(await stat(path, { bigint: true }))
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

/** What runs the data's release goes on to the next minor one, and is not made to skip any. */
export function isWithinReach(version: string, dataVersion: string): boolean {
  const [is, of] = [minorOf(version), minorOf(dataVersion)]
  return is[0] === of[0] && (is[1] === of[1] || is[1] === of[1] + 1)
}

/** Why it does not do for the data; undefined where it does. */
function unfit(
  { path, name, version, bumps }: Program,
  { dataVersion, bump }: Need,
  isNamed: boolean,
): string | undefined {
  const what = `${path} (${name} ${version})`
  if (dataVersion !== undefined && compareMinors(version, dataVersion) < 0)
    return `${what} is older than the data, which etcd ${dataVersion} wrote`
  if (dataVersion !== undefined && !isNamed && !isWithinReach(version, dataVersion))
    return `${what} is more than a minor release ahead of the data, which etcd ${dataVersion} wrote; it is taken only when it is named`
  if (bump && !bumps)
    return `${what} cannot move the revision forward (etcdctl from 3.4.27 and etcdutl from 3.5.10 on can), without which Kubernetes' watchers miss the step back; take another with --etcdutl FILE, or go without: --no-bump-revision`
  return undefined
}

type Search = Readonly<{
  names: readonly ProgramName[]
  option: string
  need: Need
  /** Where this node's etcd has its data. */
  dataDirs: readonly string[]
  signal: AbortSignal
}>

/**
 * The program that the operator named, or the first found that fits; one of the data's own minor release goes before
 * one of the next. Throws a `refused` fault, whose words begin with what is in the way of each that was found.
 */
export async function findProgram(
  named: string | undefined,
  { names, option, need, dataDirs, signal }: Search,
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
    return unfit(program, need, named !== undefined) ?? program
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
  for await (const path of places(names, dataDirs)) {
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
  const unpacked = await inImages(names)
  const shown =
    unpacked.length === 0
      ? ''
      : ` Unpacked images hold ${unpacked.join(', ')}, where every pod can put one, so that none is run by itself: look whose image it is (crictl images), then name it with ${option} FILE.`
  throw refuse(`${what}.${shown} ${otherwise}`)
}
