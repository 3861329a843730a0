import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Etcd3 } from 'etcd3'
import type { Cluster, LabMember } from './cluster.js'

/** A client of the whole cluster, of a library's own making; the caller closes it. */
export async function clientOf(
  cluster: Cluster,
  members: readonly LabMember[] = cluster.members,
): Promise<Etcd3> {
  const hosts = members.map(m => m.clientUrl)
  const grpcOptions = { 'grpc.max_receive_message_length': -1 } // it reads whole databases
  if (cluster.client === undefined) return new Etcd3({ hosts, grpcOptions })
  const [rootCertificate, certChain, privateKey] = await Promise.all(
    [cluster.client.ca, cluster.client.cert, cluster.client.key].map(file => readFile(file)),
  )
  return new Etcd3({
    hosts,
    grpcOptions,
    credentials: {
      rootCertificate: rootCertificate as Buffer,
      certChain: certChain as Buffer,
      privateKey: privateKey as Buffer,
    },
  })
}

const VALUE = 16 * 1024
const PER_TXN = 32

/**
 * Writes about `megabytes` under /registry, deletes all but every tenth key (or every `keep`th: what is kept is what a
 * defragmentation has to copy) and compacts, so that most of the file is free and none of it is given back. Resolves
 * to what is left.
 */
export async function fragment(cluster: Cluster, megabytes: number, keep = 10): Promise<Map<string, string>> {
  return fill(await clientOf(cluster), megabytes, keep)
}

/** As `fragment`, and closes the client. */
export async function fill(client: Etcd3, megabytes: number, keep: number): Promise<Map<string, string>> {
  try {
    const kept = new Map<string, string>()
    const count = Math.ceil((megabytes * 1024 * 1024) / VALUE)
    for (let first = 0; first < count; first += PER_TXN) {
      const keys = Array.from({ length: Math.min(PER_TXN, count - first) }, (_, i) => first + i)
      await client
        .if('never', 'Version', '==', 1)
        .else(...keys.map(n => client.put(keyOf(n)).value(contentOf(n))))
        .commit()
    }
    for (let first = 0; first < count; first += 128) {
      const keys = Array.from({ length: Math.min(128, count - first) }, (_, i) => first + i)
      for (const n of keys.filter(i => i % keep === 0)) kept.set(keyOf(n), contentOf(n))
      await client
        .if('never', 'Version', '==', 1)
        .else(...keys.filter(i => i % keep !== 0).map(n => client.delete().key(keyOf(n))))
        .commit()
    }
    const { header } = await client.get('never').exec()
    await client.kv.compact({ revision: header.revision, physical: true })
    return kept
  } finally {
    client.close()
  }
}

/** Writes 28 MB of which 4 cannot be made smaller: compressing them takes seconds, and nothing longer than that. */
export async function hardToCompress(cluster: Cluster): Promise<void> {
  const client = await clientOf(cluster)
  try {
    for (let n = 0; n < 28; n++) {
      const value = n < 4 ? randomBytes(1 << 20) : Buffer.alloc(1 << 20, 'a')
      await client.put(`/noise/${n}`).value(value)
    }
  } finally {
    client.close()
  }
}

const keyOf = (n: number): string => `/registry/configmaps/default/object-${String(n).padStart(7, '0')}`

/** Text that repeats as Kubernetes objects do, and differs as their identifiers do. */
function contentOf(n: number): string {
  const lines: string[] = []
  for (let i = 0, length = 0; length < VALUE; i++) {
    const id = ((n * 7919 + i * 104729) >>> 0).toString(16).padStart(8, '0')
    const line = `{"kind":"ConfigMap","metadata":{"name":"object-${n}","uid":"${id}","generation":${i}},"data":{"${id}":"value"}}`
    lines.push(line)
    length += line.length + 1
  }
  return lines.join('\n').slice(0, VALUE)
}
