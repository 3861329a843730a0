import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Etcd3 } from 'etcd3'
import { Cluster, type Suite } from '../lab/cluster.js'
import { clientOf } from '../lab/fill.js'
import type { Stored } from './objectFrame.js'
import { type Kind, objectOf } from './objects.js'

const cache = join(process.env['ETCD_LAB'] ?? join(homedir(), '.cache/etcd-defrag-lab'), 'databases')

/** Changes with the objects or with how they are written, so that no older database is taken for one like these. */
const GENERATION = 3

export type Wanted = Readonly<{ suite: Suite; bytes: number; seed: number }>

/** What of each hundred bytes written is what: some of it is gone at the end, and their pages are free. */
const kept = 'pod replicaSet pod configMap pod endpointSlice pod replicaSet pod secret'.split(
  ' ',
) as readonly Kind[]
const passing = 'event lease event lease event node'.split(' ') as readonly Kind[]

/** Of the bytes written, those that are written over or deleted later. */
const GONE = 0.26

const PER_TXN = 100 // etcd: --max-txn-ops is 128
const BYTES_PER_TXN = 1 << 20 // etcd: --max-request-bytes is 1.5 MiB

/**
 * The database file of a stopped etcd with about so many bytes of objects as Kubernetes stores them, some 0.6 of it in
 * use after leases, nodes and events were written over and deleted and their history compacted. Made once and kept in
 * the lab's cache, so that every trial starts from the same pages.
 */
export async function databaseOf(wanted: Wanted, say: (text: string) => void): Promise<string> {
  const { suite, bytes, seed } = wanted
  const path = join(cache, `kubernetes-${GENERATION}-${suite}-${bytes}-${seed}.db`)
  if (await stat(path).catch(() => undefined)) return path
  say(`filling a database of ${Math.round(bytes / 2 ** 20)} MiB, once`)
  await mkdir(cache, { recursive: true })
  await using cluster = await Cluster.start({
    suite,
    size: 1,
    tls: false,
    flags: ['--unsafe-no-fsync', `--quota-backend-bytes=${16 * 2 ** 30}`, '--snapshot-count=1000'],
  })
  const [member] = cluster.members
  if (member === undefined) throw new Error('no member')
  const client = await clientOf(cluster)
  try {
    await write(client, wanted)
  } finally {
    client.close()
  }
  await cluster.kill(member, 'SIGTERM') // it commits what it still holds
  const partial = `${path}.${process.pid}`
  try {
    await copyFile(join(member.dataDir, 'member/snap/db'), partial)
    await rename(partial, path)
  } finally {
    await rm(partial, { force: true })
  }
  return path
}

async function write(client: Etcd3, { bytes, seed }: Wanted): Promise<void> {
  const batch = new Batch(client)
  const events: string[] = []
  const counts: Partial<Record<Kind, number>> = {}
  const put = async (choices: readonly Kind[], turn: number): Promise<number> => {
    const kind = choices[turn % choices.length] ?? 'pod'
    const n = counts[kind] ?? 0
    counts[kind] = n + 1
    const stored = objectOf(kind, n, seed)
    if (kind === 'event') events.push(stored.key)
    await batch.put(stored)
    return stored.key.length + stored.value.length
  }
  let [lasting, gone] = [0, 0]
  for (let turn = 0; lasting + gone < bytes * WRITTEN; turn++) {
    if (gone <= (lasting + gone) * GONE) gone += await put(passing, turn)
    else lasting += await put(kept, turn)
  }
  // As their leases run out after an hour; those of the last hour are still there.
  for (const key of events.slice(0, Math.floor(events.length * 0.95))) await batch.delete(key)
  await batch.flush()
  const { header } = await client.get('none').exec()
  await client.kv.compact({ revision: header.revision, physical: true })
}

/** Pages are not filled to the brim, and bolt's tree takes some. */
const WRITTEN = 0.76

/** Writes one after the other, many to a transaction. */
class Batch {
  readonly #client: Etcd3
  #puts: Stored[] = []
  #deletes: string[] = []
  #bytes = 0
  readonly #keys = new Set<string>()

  constructor(client: Etcd3) {
    this.#client = client
  }

  async put(stored: Stored): Promise<void> {
    await this.#room(stored.key, stored.value.length)
    this.#puts.push(stored)
  }

  async delete(key: string): Promise<void> {
    await this.#room(key, 0)
    this.#deletes.push(key)
  }

  /** etcd takes a key only once a transaction. */
  async #room(key: string, bytes: number): Promise<void> {
    const isFull = this.#keys.size >= PER_TXN || this.#bytes + bytes > BYTES_PER_TXN
    if (isFull || this.#keys.has(key)) await this.flush()
    this.#keys.add(key)
    this.#bytes += bytes
  }

  async flush(): Promise<void> {
    if (this.#keys.size === 0) return
    const puts = this.#puts.map(({ key, value }) => this.#client.put(key).value(value))
    const deletes = this.#deletes.map(key => this.#client.delete().key(key))
    await this.#client
      .if('none', 'Version', '==', 1)
      .else(...puts, ...deletes)
      .commit()
    this.#puts = []
    this.#deletes = []
    this.#bytes = 0
    this.#keys.clear()
  }
}
