import { execFile } from 'node:child_process'
import { watch } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Cluster, type LabMember, type LabOptions } from '../lab/cluster.js'
import type { FaultyDisk } from '../lab/faultyDisk.js'
import { fragment } from '../lab/fill.js'
import { isRoot, type LoopDevice } from '../lab/loopDevice.js'

const run = promisify(execFile)

/** For node:test's `skip`. */
export const noDisks = isRoot ? false : 'it takes disks of its own, and that takes root'

/** Three members: `local` leads, `first` is the follower that a run takes first and has a disk of its own. */
export type Scene = Readonly<{
  cluster: Cluster
  local: LabMember
  first: LabMember
  second: LabMember
  kept: Map<string, string>
}>

export async function sceneOn(
  disk: LoopDevice | FaultyDisk,
  { megabytes = 40, ...options }: LabOptions & { megabytes?: number } = {},
): Promise<Scene & AsyncDisposable> {
  const cluster = await Cluster.start({ tls: false, ...options })
  try {
    const kept = await fragment(cluster, megabytes)
    const [first, local, second] = await inOrder(cluster)
    if (first === undefined || local === undefined || second === undefined) throw new Error('three members')
    if ((await cluster.leader()) !== local) await cluster.moveLeader(local)
    await settle(cluster, first, 'device' in disk ? disk.device : disk)
    return {
      cluster,
      local,
      first,
      second,
      kept,
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/** As etcd lists them and a run takes them: by id, which nobody knows before they have started. */
async function inOrder(cluster: Cluster): Promise<readonly LabMember[]> {
  const list = await cluster.etcdctl(['member', 'list'])
  const at = (member: LabMember) => list.indexOf(`, started, ${member.name},`)
  return cluster.members.toSorted((a, b) => at(a) - at(b))
}

/** Moves a member's data to the disk, and starts the member there. */
export async function settle(cluster: Cluster, member: LabMember, disk: LoopDevice): Promise<void> {
  await cluster.kill(member, 'SIGTERM')
  const target = join(disk.mountPoint, 'etcd')
  await run('cp', ['-a', member.dataDir, target])
  await rm(member.dataDir, { recursive: true })
  await symlink(target, member.dataDir)
  await run('sync', ['-f', target])
  await cluster.restart(member)
}

/** Resolves when a file appears in the folder, or is gone from it, whose name fits. */
export async function changed(folder: string, name: RegExp): Promise<string> {
  const watcher = watch(folder)
  try {
    return await new Promise((resolve, reject) => {
      watcher.on('change', (_, file) => {
        if (name.test(String(file))) resolve(String(file))
      })
      watcher.on('error', reject)
    })
  } finally {
    watcher.close()
  }
}

/** Where etcd makes the copy when it defragments. */
export const copyBegins = (member: LabMember): Promise<string> =>
  changed(join(member.dataDir, 'member/snap'), /^db\.tmp/)

/** A folder that nobody else may look into. */
export async function privateFolder(at?: string): Promise<Readonly<{ path: string }> & AsyncDisposable> {
  const path = at ?? (await mkdtemp(join(tmpdir(), 'etcd-defrag-faults-')))
  await mkdir(path, { recursive: true, mode: 0o700 })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export { sleep }
