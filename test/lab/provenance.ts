import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { Provenance } from '../../src/model/backup.js'
import type { MemberId } from '../../src/model/member.js'
import type { Cluster } from './cluster.js'

/** Ids have 64 bits, and numbers of JSON in JavaScript 53. */
type ListAnswer = Readonly<{
  header: Readonly<{ cluster_id: string; member_id: string }>
  members: readonly Readonly<{
    ID: string
    name?: string
    peerURLs: readonly string[]
    clientURLs?: readonly string[]
    isLearner?: boolean
  }>[]
}>

const hex = (decimal: string): string => BigInt(decimal).toString(16)

/** Writes what is kept beside an archive, made from what etcd's own client says and without the project's code. */
export async function describeArchive(
  cluster: Cluster,
  archive: string,
  changes: Partial<Provenance> = {},
): Promise<Provenance> {
  const [first] = cluster.members
  if (first === undefined) throw new Error('no member')
  const list = await cluster.etcdctl(['member', 'list', '-w', 'json'], [first])
  const { header, members } = JSON.parse(
    list.replaceAll(/"(ID|cluster_id|member_id)":(\d+)/g, '"$1":"$2"'),
  ) as ListAnswer
  const [status] = await cluster.status([first])
  const raw = await readFile(archive)
  const content = await decoded(archive)
  const provenance: Provenance = {
    format: 1,
    tool: 'etcd-defrag 0.0.0',
    takenAt: new Date().toISOString(),
    host: hostname(),
    cluster: {
      id: hex(header.cluster_id),
      members: members.map(m => ({
        id: hex(m.ID) as MemberId,
        name: m.name ?? '',
        peerUrls: m.peerURLs,
        clientUrls: m.clientURLs ?? [],
        learner: m.isLearner ?? false,
      })),
    },
    member: {
      id: hex(header.member_id) as MemberId,
      name: first.name,
      etcdVersion: status?.Status.version ?? '',
      storageVersion: null,
    },
    revision: status?.Status.header.revision ?? 0,
    totalKeys: 0,
    content: { bytes: content.length - 32, sha256: content.subarray(-32).toString('hex') },
    archive: { bytes: raw.length, sha256: createHash('sha256').update(raw).digest('hex') },
    ...changes,
  }
  await writeFile(`${archive}.json`, JSON.stringify(provenance, null, 2), { mode: 0o600 })
  return provenance
}

async function decoded(archive: string): Promise<Buffer> {
  const xz = spawn('xz', ['-dc', archive], { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  xz.stdout.on('data', chunk => chunks.push(chunk))
  await once(xz, 'close')
  return Buffer.concat(chunks)
}
