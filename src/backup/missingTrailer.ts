import { createHash } from 'node:crypto'
import type { Walk } from './bolt/walk.js'
import type { Archive, Watch } from './open.js'
import type { Passed } from './trailer.js'

/**
 * Why a file that does not end with etcd's SHA-256 should do so; undefined where it may be a copy of a member's own
 * file, which never does. A snapshot that lost just its last 32 bytes cannot be told from the file of a member that was
 * stopped without a change since: etcd commits once more then, and both meta pages say the same.
 */
export async function missingTrailer(
  archive: Archive,
  watch: Watch,
  walk: Walk,
  { trailer, whole }: Passed,
): Promise<string | undefined> {
  if (trailer !== undefined || !walk.isCopy || whole.bytes === walk.size) return undefined
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
