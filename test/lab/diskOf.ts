import { execFile } from 'node:child_process'
import { watch } from 'node:fs'
import { readdir, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type LabMember, until } from './cluster.js'
import { isRoot, type LoopDevice } from './loopDevice.js'
import type { Scene } from './scene.js'

const run = promisify(execFile)

/** For node:test's `skip`. */
export const noDisks = isRoot ? false : 'it takes disks of its own, and that takes root'

/** Starts a member again with its data on the disk. */
export async function moveData({ witness }: Scene, member: LabMember, disk: LoopDevice): Promise<void> {
  await witness.kill(member)
  const target = join(disk.mountPoint, 'etcd')
  // With its blocks: etcd has reserved those of its log, and a full disk must find it so.
  await run('cp', ['-a', '--sparse=never', member.dataDir, target])
  await rm(member.dataDir, { recursive: true })
  await symlink(target, member.dataDir)
  await run('sync', ['-f', target])
  await witness.restart(member)
}

/** The follower that a run takes first, as etcd lists them: by id, which nobody knows before they have started. */
export async function firstFollower({ cluster, leader }: Scene): Promise<LabMember> {
  const list = await cluster.etcdctl(['member', 'list'])
  const at = (member: LabMember) => list.indexOf(`, started, ${member.name},`)
  const [first] = cluster.members.filter(m => m !== leader).toSorted((a, b) => at(a) - at(b))
  if (first === undefined) throw new Error('no follower')
  return first
}

/** Puts the data of the follower that a run takes first on the disk, and starts it there. */
export async function firstFollowerOn(disk: LoopDevice, scene: Scene): Promise<LabMember> {
  const first = await firstFollower(scene)
  await moveData(scene, first, disk)
  return first
}

/** Resolves when a file whose name fits appears in the folder, grows, or is gone from it. */
async function changed(folder: string, name: RegExp): Promise<string> {
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

/** A defragmentation has begun: etcd makes its copy there. */
export const copyBegins = (member: LabMember): Promise<string> =>
  changed(join(member.dataDir, 'member/snap'), /^db\.tmp/)

/** A file of a run under way beside its backup, once it holds so many bytes. */
export async function grown(backupPath: string, kind: 'spool' | 'partial', bytes: number): Promise<string> {
  let path = ''
  await until(`the ${kind} holds ${bytes} bytes`, async () => {
    const name = (await readdir(dirname(backupPath))).find(entry => entry.endsWith(`.${kind}`))
    path = join(dirname(backupPath), name ?? '')
    return name !== undefined && ((await stat(path).catch(() => undefined))?.size ?? 0) >= bytes
  })
  return path
}
