import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import 'yaml' // loaded before an upgrade can take it away: a manifest that cannot be read is taken for none
import { ownId } from '../backup/files.js'
import { readManifest } from '../config/manifest.js'
import { Failure } from '../model/fault.js'
import { exec } from '../system/exec.js'
import { describeProcess, holdersOf, identityOf, type Process, startedOn } from './processes.js'

export const MANIFEST = '/etc/kubernetes/manifests/etcd.yaml'

const ways: Record<Process['keeper'], (process: Process) => string> = {
  kubelet: () => `stop it with: mv ${MANIFEST} /root/, and wait until it is gone`,
  systemd: ({ unit }) => `stop it with: systemctl stop ${unit}`,
  nobody: ({ id }) => `stop it with: kill ${id}, or by whatever starts it`,
}

/** Throws a `refused` fault while a process uses the data directory or could begin to at any moment. */
export async function refuseWhileHeld(dataDir: string, signal: AbortSignal): Promise<void> {
  const refuse = (problem: string) =>
    new Failure({ kind: 'refused', check: 'held', problem: `--data-dir ${dataDir}: ${problem}` })
  const folder = await stat(dataDir, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (folder !== undefined) {
    const [by] = [...(await startedOn(identityOf(folder))), ...(await holdersOf(await filesBelow(dataDir)))]
    if (by !== undefined) {
      const process = await describeProcess(by)
      throw refuse(`process ${by} (${process.name}) uses it; ${ways[process.keeper](process)}`)
    }
    if (await isLocked(join(dataDir, 'member/snap/db'), signal))
      throw refuse('a process that cannot be seen from here holds the lock of its database; stop etcd first')
  }
  const manifest = await readManifest(MANIFEST).catch(() => undefined) // then it is for no kubelet either
  const ofPod = manifest?.flags['data-dir']
  if (ofPod !== undefined && (await isSamePlace(ofPod, dataDir)))
    throw refuse(`the kubelet starts etcd on it at any moment; move the manifest away: mv ${MANIFEST} /root/`)
  if (await isAboutToStart(signal))
    throw refuse('systemd starts etcd.service again at any moment; stop it with: systemctl stop etcd')
}

/** By what is there, since links and slashes give it many names. */
async function isSamePlace(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all(
    [one, other].map(
      path => stat(path, { bigint: true }).then(identityOf, () => undefined), // it is not there
    ),
  )
  return a === undefined || b === undefined ? resolve(one) === resolve(other) : a === b
}

/** Between two attempts no process shows it (systemd.service(5), RestartSec=). Where there is no systemd, it starts none. */
async function isAboutToStart(signal: AbortSignal): Promise<boolean> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(10_000)])
  const args = ['show', '--property=ActiveState,SubState', 'etcd.service']
  const told = await exec('systemctl', args, patience).catch(() => undefined)
  signal.throwIfAborted()
  return told?.exitCode === 0 && /=(activating|auto-restart)$/m.test(told.stdout)
}

async function filesBelow(folder: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  const found = await Promise.all(
    files.map(
      entry => stat(join(entry.parentPath, entry.name), { bigint: true }).catch(() => undefined), // gone meanwhile
    ),
  )
  return new Set(found.flatMap(file => (file === undefined ? [] : [identityOf(file)])))
}

/** As bbolt locks it (bbolt: bolt_unix.go, `flock`); held from another PID namespace it shows nowhere else. */
async function isLocked(database: string, signal: AbortSignal): Promise<boolean> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(database, flags).catch(() => undefined) // flock(1) would create it
  if (handle === undefined) return false
  try {
    const conflict = 75
    const file = `/proc/${await ownId()}/fd/${handle.fd}`
    const flock = ['--nonblock', '--conflict-exit-code', String(conflict), file, 'true']
    const { exitCode } = await exec('flock', flock, signal)
    return exitCode === conflict
  } finally {
    await handle.close()
  }
}
