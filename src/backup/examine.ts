import type { Inventory, MemberRecord, Verified } from '../model/backup.js'
import type { MemberId } from '../model/member.js'
import type { UseLiveEntry } from './bolt/tree.js'
import { LiveKeys } from './liveKeys.js'
import type { Watch } from './open.js'
import { walkThrough } from './verify.js'

/** As `verify`, and what is in it. Takes memory for each key, but never for more than a million. */
export async function examine(path: string, watch: Watch): Promise<Verified & { inventory: Inventory }> {
  const live = new LiveKeys()
  const facts = new Facts()
  const use: UseLiveEntry = (bucket, key, value) => {
    if (bucket.path === 'key') live.add(key, value)
    else facts.add(bucket.path, key, value)
  }
  const { verified, walk } = await walkThrough(path, watch, { hash: true, use })
  const { buckets } = verified.contents
  const entriesOf = (name: string) => buckets.find(bucket => bucket.name === name)?.entries ?? 0
  const inventory: Inventory = {
    hash: walk.hash(),
    totalSize: walk.size,
    revisions: entriesOf('key'),
    alarms: entriesOf('alarm'),
    leases: entriesOf('lease'),
    live: live.end(),
    ...facts.end(),
  }
  return { ...verified, inventory }
}

/** More than any cluster has; a member's record is some hundred bytes. */
const [MOST_MEMBERS, LONGEST_RECORD] = [100, 64 * 1024]

/** What the small buckets tell (etcd: server/storage/schema). */
class Facts {
  #members: MemberRecord[] = []
  #compacted: number | undefined
  #clusterVersion: string | undefined
  #storageVersion: string | undefined
  #authEnabled = false

  add(bucket: string, key: Buffer, value: Buffer): void {
    if (value.length > LONGEST_RECORD) return
    const name = key.toString('latin1')
    switch (bucket) {
      case 'members':
        if (this.#members.length < MOST_MEMBERS) this.#members.push(...memberOf(name, value))
        return
      case 'cluster':
        if (name === 'clusterVersion') this.#clusterVersion = value.toString()
        return
      case 'meta':
        if (name === 'finishedCompactRev' && value.length >= 8)
          this.#compacted = Number(value.readBigInt64BE())
        if (name === 'storageVersion') this.#storageVersion = value.toString()
        return
      case 'auth':
        if (name === 'authEnabled') this.#authEnabled = value[0] === 1
    }
  }

  end() {
    return {
      members: this.#members.sort((a, b) => (a.id < b.id ? -1 : 1)),
      compactedRevision: this.#compacted,
      clusterVersion: this.#clusterVersion,
      storageVersion: this.#storageVersion,
      authEnabled: this.#authEnabled,
    }
  }
}

/** A member's record is JSON; its id there is a number that JSON.parse does not hold, so the key it is (etcd: server/etcdserver/api/membership). */
function memberOf(id: string, value: Buffer): readonly MemberRecord[] {
  if (!/^[0-9a-f]{1,16}$/.test(id)) return []
  let record: Readonly<Record<string, unknown>>
  try {
    record = Object(JSON.parse(value.toString()))
  } catch {
    return [] // a file of other contents than etcd's: what it is proves the hash, not this
  }
  const word = (found: unknown) => (typeof found === 'string' ? found : '')
  const urls = (found: unknown) => (Array.isArray(found) ? found.map(word) : [])
  return [
    {
      id: id as MemberId,
      name: word(record['name']),
      peerUrls: urls(record['peerURLs']),
      clientUrls: urls(record['clientURLs']),
      learner: record['isLearner'] === true,
    },
  ]
}
