import { once } from 'node:events'
import type { LabMember } from '../lab/cluster.js'
import { until } from '../lab/cluster.js'
import type { Arena } from './arena.js'
import { type Acknowledged, judgeHistory, type Seen } from './history.js'

/** Everything under the prefix since the revision, up to a last write of our own, as a watch on the member tells it. */
export async function historyOf(
  arena: Arena,
  member: LabMember,
  prefix: string,
  since: bigint,
): Promise<Readonly<{ seen: readonly Seen[]; revision: bigint }>> {
  const client = arena.client(member)
  const end = `${prefix}end`
  const { header } = await client.put(end).value('')
  const watcher = client.watch().prefix(prefix).startRevision(String(since)).watcher()
  const seen: Seen[] = []
  const isComplete = new Promise<void>(resolve => {
    watcher.on('put', kv => {
      if (String(kv.key) === end) return resolve()
      const [revision, version] = [BigInt(kv.mod_revision), BigInt(kv.version)]
      seen.push({ key: String(kv.key), value: String(kv.value), revision, version })
    })
  })
  const failed = once(watcher, 'error').then(([error]) => {
    throw error
  })
  failed.catch(() => {}) // after the end nobody waits for it
  await Promise.race([isComplete, failed])
  await watcher.cancel()
  return { seen, revision: BigInt(header.revision) }
}

/** What is wrong with what the members hold, in sentences: against what was acknowledged and against each other. */
export async function judgeData(
  arena: Arena,
  prefix: string,
  since: bigint,
  load: Readonly<{ acknowledged: readonly Acknowledged[]; sent: ReadonlyMap<string, readonly string[]> }>,
): Promise<readonly string[]> {
  const [member] = arena.cluster.members
  if (member === undefined) return ['no member is left']
  const { seen, revision } = await historyOf(arena, member, prefix, since)
  return [...judgeHistory({ ...load, seen }), ...(await disagreements(arena, revision))]
}

/** The same hash at the same revision and the same compacted revision on every voter; every key on a learner. */
async function disagreements(arena: Arena, revision: bigint): Promise<readonly string[]> {
  const said = await Promise.all(
    arena.cluster.members.map(async member => ({ member, said: await arena.said(member) })),
  )
  const voters = said.filter(one => one.said?.isLearner !== true).map(one => one.member)
  const learners = said.filter(one => one.said?.isLearner === true).map(one => one.member)
  await until('all members have applied everything', async () => {
    const now = await Promise.all(arena.cluster.members.map(member => arena.said(member)))
    return now.every(one => (one?.revision ?? 0n) >= revision)
  })
  let hashes: readonly string[] = []
  // A compaction may still be under way on one of them.
  await until('the members agree', async () => {
    hashes = await hashesOf(arena, voters, revision)
    return new Set(hashes).size === 1
  }).catch(() => {})
  const found =
    new Set(hashes).size === 1
      ? []
      : [`the members differ: ${voters.map((member, i) => `${member.name} ${hashes[i]}`).join('; ')}`]
  for (const learner of learners) {
    const [own, others] = await Promise.all(
      [learner, voters[0] ?? learner].map(member => keysOn(arena, member, revision)),
    )
    if (own !== others) found.push(`the learner ${learner.name} holds other keys than ${voters[0]?.name}`)
  }
  return found
}

type HashKv = Readonly<{ HashKV: Readonly<{ hash: number; compact_revision: number }> }>

async function hashesOf(
  arena: Arena,
  voters: readonly LabMember[],
  revision: bigint,
): Promise<readonly string[]> {
  const hashKv = ['endpoint', 'hashkv', `--rev=${revision}`, '-w', 'json']
  const answers = JSON.parse(await arena.cluster.etcdctl(hashKv, voters)) as HashKv[]
  if (answers.length !== voters.length) return []
  return answers.map(({ HashKV }) => `hash ${HashKV.hash}, compacted at ${HashKV.compact_revision}`)
}

const keysOn = (arena: Arena, member: LabMember, revision: bigint): Promise<string> =>
  arena.cluster.etcdctl(['get', '--prefix', '', '--consistency=s', `--rev=${revision}`], [member])
