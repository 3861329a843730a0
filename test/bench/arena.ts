import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Cluster, type LabMember, programOf, type Suite } from '../lab/cluster.js'
import { diskFor, MemoryDisk, memoryFor } from './memoryDisk.js'
import { settle } from './settle.js'

const run = promisify(execFile)

export type Setting = Readonly<{
  suite: Suite
  members: number
  /** A database file that each member begins with. */
  database: string
  databaseBytes: number
  /** The most that a member may write to its disk a second; on the folder for temporary files without one. */
  bytesPerSecond?: number
}>

/** A cluster whose members all began with a copy of the same database, each on a disk of its own. */
export class Arena implements AsyncDisposable {
  readonly cluster: Cluster
  /** For archives and whatever else a trial writes. */
  readonly scratch: string
  readonly disks: readonly MemoryDisk[]

  private constructor(cluster: Cluster, scratch: string, disks: readonly MemoryDisk[]) {
    this.cluster = cluster
    this.scratch = scratch
    this.disks = disks
  }

  static async of({ suite, members, database, databaseBytes, bytesPerSecond }: Setting): Promise<Arena> {
    const scratch = await mkdtemp(join(tmpdir(), 'etcd-defrag-bench-'))
    const disks: MemoryDisk[] = []
    try {
      if (bytesPerSecond !== undefined) {
        const megabytes = Math.ceil(diskFor(databaseBytes) / 2 ** 20)
        await roomInMemory(members, databaseBytes)
        for (let i = 0; i < members; i++) disks.push(await MemoryDisk.create(megabytes, bytesPerSecond))
      }
      const dataDirs = Array.from({ length: members }, (_, i) =>
        join(disks[i]?.mountPoint ?? scratch, `etcd${i + 1}`),
      )
      const cluster = await Cluster.start({
        suite,
        size: members,
        dataDirs,
        places: {
          members: disks.map(({ through }) => ({ host: '127.0.0.1', through })),
          lab: [],
        },
        flags: [`--quota-backend-bytes=${16 * 2 ** 30}`],
        before: all => restore(suite, all, database),
      })
      await settle()
      return new Arena(cluster, scratch, disks)
    } catch (error) {
      await release(scratch, disks)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await release(this.scratch, this.disks)
  }
}

async function release(scratch: string, disks: readonly MemoryDisk[]): Promise<void> {
  for (const disk of disks) await disk[Symbol.asyncDispose]()
  await rm(scratch, { recursive: true, force: true })
}

/** A file system in memory takes it from everybody, and nobody is asked. */
async function roomInMemory(members: number, databaseBytes: number): Promise<void> {
  const { needed, available } = await memoryFor(members, databaseBytes)
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
  if (available < needed)
    throw new Error(
      `the disks of ${members} members take up to ${mebibytes(needed)} of memory, and there are ${mebibytes(available)} for them; --size makes the databases smaller`,
    )
}

/** With the pages as they are, the free ones included: etcd's own tool gives each member its identity. */
async function restore(suite: Suite, members: readonly LabMember[], database: string): Promise<void> {
  const initial = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  for (const { name, peerUrl, dataDir } of members) {
    await rm(dataDir, { recursive: true, force: true })
    await run(programOf(suite, 'etcdutl'), [
      ...['snapshot', 'restore', database, '--skip-hash-check', `--data-dir=${dataDir}`, `--name=${name}`],
      ...[`--initial-cluster=${initial}`, `--initial-advertise-peer-urls=${peerUrl}`],
    ])
  }
}
