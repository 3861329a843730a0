import type { Live } from '../model/backup.js'
import { fieldsOf } from '../protobuf.js'

/** Bounds for memory: Kubernetes clusters of 5,000 nodes have some 500,000 keys. */
const MOST_KEYS = 1_000_000
const MOST_BYTES = 256 * 1024 * 1024
const LARGEST = 10

/** A revision key is its main and sub number with a `_` between, and a `t` behind for a deletion (etcd: server/storage/mvcc/revision.go). */
const REVISION_KEY = 17

type Latest = { main: number; sub: number; bytes: number; isDeleted: boolean }

/** Finds the latest version of each key, in whatever order they come. */
export class LiveKeys {
  readonly #keys = new Map<string, Latest>()
  #keyBytes = 0
  #isFull = false

  /** An entry of the bucket `key`. What is none of etcd's is passed over: this is for people, the hash is for proof. */
  add(key: Buffer, value: Buffer): void {
    if (this.#isFull || key.length < REVISION_KEY) return
    const found = keyValueOf(value)
    if (found === undefined) return
    const main = number(key, 0)
    const sub = number(key, 9)
    const isDeleted = key.length > REVISION_KEY
    const known = this.#keys.get(found.key)
    if (known === undefined) this.#keep(found.key, { main, sub, bytes: found.bytes, isDeleted })
    else if (main > known.main || (main === known.main && sub > known.sub))
      Object.assign(known, { main, sub, bytes: found.bytes, isDeleted })
  }

  #keep(key: string, latest: Latest): void {
    this.#keyBytes += key.length
    this.#isFull = this.#keys.size >= MOST_KEYS || this.#keyBytes > MOST_BYTES
    if (this.#isFull) this.#keys.clear()
    else this.#keys.set(key, latest)
  }

  /** Undefined where there were too many. */
  end(): Live | undefined {
    if (this.#isFull) return undefined
    const prefixes = new Map<string, { objects: number; bytes: number }>()
    const total = { objects: 0, bytes: 0 }
    let largest: { key: string; bytes: number }[] = []
    for (const [key, { bytes, isDeleted }] of this.#keys) {
      if (isDeleted) continue
      const prefix = prefixOf(key)
      const sum = prefixes.get(prefix) ?? { objects: 0, bytes: 0 }
      prefixes.set(prefix, sum)
      for (const counted of [sum, total]) {
        counted.objects += 1
        counted.bytes += bytes
      }
      if (largest.length === LARGEST && bytes < (largest.at(-1)?.bytes ?? 0)) continue
      largest = [...largest, { key, bytes }].sort(bySize('key')).slice(0, LARGEST)
    }
    return {
      ...total,
      prefixes: [...prefixes]
        .map(([prefix, sum]) => ({ prefix: text(prefix), ...sum }))
        .sort(bySize('prefix')),
      largest: largest.map(({ key, bytes }) => ({ key: text(key), bytes })),
    }
  }
}

/** The most bytes first, else by name. */
const bySize =
  <N extends string>(name: N) =>
  (a: Sized<N>, b: Sized<N>): number =>
    b.bytes - a.bytes || (a[name] < b[name] ? -1 : 1)
type Sized<N extends string> = Readonly<{ bytes: number } & Record<N, string>>

/**
 * The folder of a key, two names deep at most: `/registry/pods`. Kubernetes' resources of groups that have a dot in
 * their name are one deeper: `/registry/apiextensions.k8s.io/customresourcedefinitions`.
 */
export function prefixOf(key: string): string {
  const names = key.split('/').slice(0, -1)
  const root = names[0] === '' ? 1 : 0
  const isGroup = root === 1 && names[1] === 'registry' && names[2]?.includes('.') === true
  return names.slice(0, root + (isGroup ? 3 : 2)).join('/')
}

/** Keys are kept as one character a byte, so that different ones stay different. */
const text = (key: string): string => Buffer.from(key, 'latin1').toString()

/** Key, and bytes of key and value, of a mvccpb.KeyValue (etcd: api/mvccpb/kv.proto). */
function keyValueOf(message: Buffer): { key: string; bytes: number } | undefined {
  let key: Buffer | undefined
  let bytes = 0
  try {
    for (const [field, value] of fieldsOf(message)) {
      if (typeof value === 'number') continue
      if (field === 1) key = value
      if (field === 1 || field === 5) bytes += value.length
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
  return key === undefined ? undefined : { key: key.toString('latin1'), bytes }
}

const number = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
