import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { Cluster, programOf, type Suite } from './cluster.js'
import { clientOf } from './fill.js'

const run = promisify(execFile)

/** Debian's 3.4 has no etcdutl; its etcdctl restores. */
const restorer = (suite: Suite): string => programOf(suite, suite === 'bookworm' ? 'etcdctl' : 'etcdutl')

/** What etcd's own tool says of a snapshot, and every key of the database that it restores from it. */
export type Restored = Readonly<{
  status: Readonly<{ revision: number; totalKey: number; totalSize: number }>
  keys: Map<string, string>
}>

/**
 * Proves an archive without any code of the project: xz decodes it, etcd's own tool checks its hash and
 * restores it, and an etcd started on the result is asked for everything under `prefix`.
 */
export async function restore(archive: string, suite: Suite, prefix: string): Promise<Restored> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-restore-'))
  try {
    const snapshot = join(folder, 'snapshot.db')
    const xz = spawn('xz', ['-dc', archive], { stdio: ['ignore', 'pipe', 'inherit'] })
    await pipeline(xz.stdout, createWriteStream(snapshot))
    const env = { ...process.env, ETCDCTL_API: '3' }
    const status = await run(restorer(suite), ['snapshot', 'status', snapshot, '-w', 'json'], { env })
    const dataDir = join(folder, 'data')
    // It checks the SHA-256 itself; --skip-hash-check is not given.
    await run(restorer(suite), ['snapshot', 'restore', snapshot, '--data-dir', dataDir, ...ownCluster], {
      env,
    })
    await using cluster = await Cluster.start({ suite, size: 1, tls: false, dataDirs: [dataDir] })
    const client = await clientOf(cluster)
    try {
      const keys = new Map(Object.entries(await client.getAll().prefix(prefix).strings()))
      return { status: JSON.parse(status.stdout) as Restored['status'], keys }
    } finally {
      client.close()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The lab's first member; its data carries the name of the peer URL, which etcd lets change on a single member. */
const ownCluster = [
  '--name=m1',
  '--initial-cluster=m1=http://127.0.0.1:1',
  '--initial-advertise-peer-urls=http://127.0.0.1:1',
]
