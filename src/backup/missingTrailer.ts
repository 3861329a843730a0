import { createHash } from 'node:crypto'
import type { Walk } from './bolt/walk.js'
import type { Archive, Watch } from './open.js'
import type { Passed } from './trailer.js'

/**
 * Why a file that does not end with etcd's SHA-256 should have one; undefined of a copy of a member's own file, which
 * never has. A snapshot without one cannot be told from good, and `etcdutl snapshot restore` refuses it too.
 */
export async function missingTrailer(
  archive: Archive,
  watch: Watch,
  walk: Walk,
  { trailer, whole }: Passed,
): Promise<string | undefined> {
  if (trailer !== undefined || !walk.isCopy) return undefined
  // A member's file is a page longer than what is used of it at least (bbolt: tx.go, Commit, grow).
  if (whole.bytes === walk.size)
    return "it is a snapshot, but the SHA-256 that etcd puts behind one is not there: it was cut off (or it is a member's file straight from a restore; take a snapshot of that member instead)"
  if (await hasTrailerAt(archive, watch, walk.size))
    return `it is a snapshot of ${walk.size} bytes with etcd's SHA-256 behind it, but then come ${whole.bytes - walk.size - 32} more bytes: something was appended`
  return undefined
}

/** Whether the SHA-256 of the first `size` bytes comes behind them. */
async function hasTrailerAt(archive: Archive, watch: Watch, size: number): Promise<boolean> {
  const hash = createHash('sha256')
  const behind: Buffer[] = []
  let at = 0
  for await (const chunk of archive.pass(watch)) {
    const cut = Math.min(chunk.length, Math.max(0, size - at))
    hash.update(chunk.subarray(0, cut))
    at += chunk.length
    if (at - size > 0) behind.push(Buffer.from(chunk.subarray(cut, cut + 32)))
    if (at - size >= 32) break
  }
  return Buffer.concat(behind).subarray(0, 32).equals(hash.digest())
}
