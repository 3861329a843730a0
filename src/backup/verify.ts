import { createHash } from 'node:crypto'
import type { Verified } from '../model/backup.js'
import { describe, Failure, faultOf } from '../model/fault.js'
import { Archive } from './open.js'
import { TrailerCheck } from './trailer.js'

/** Reads the file to its end. Throws a fault of kind `archive` where it holds no whole snapshot. */
export async function verify(path: string, { signal }: { signal: AbortSignal }): Promise<Verified> {
  await using file = await Archive.open(path)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of file.raw()) {
    signal.throwIfAborted()
    hash.update(chunk)
    bytes += chunk.length
  }
  const check = new TrailerCheck()
  const whole = createHash('sha256')
  for await (const chunk of file.pass({ signal })) {
    signal.throwIfAborted()
    check.update(chunk)
    whole.update(chunk)
  }
  const hasTrailer = check.bytes % 512 === 32
  let sha256: string
  try {
    sha256 = hasTrailer || check.bytes % 512 !== 0 ? check.finish(path) : whole.digest('hex')
  } catch (error) {
    throw new Failure({ kind: 'archive', path, problem: describe(faultOf(error)) }, error)
  }
  return {
    path,
    kind: file.kind,
    archive: { bytes, sha256: hash.digest('hex') },
    content: { bytes: check.bytes - (hasTrailer ? 32 : 0), sha256 },
    hasTrailer,
    contents: { pageSize: 4096, pages: 0, livePages: 0, buckets: [], totalKeys: 0, revision: 0 },
  }
}
