import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { writeAll } from '../backup/files.js'
import { Failure } from '../model/fault.js'
import type { Inspected } from './inspect.js'

/**
 * Decodes the archive into `target`, mode 0600 from the first byte. Throws an `archive` fault when it is not what was
 * verified any more.
 */
export async function unpack(
  { archive, verified: { path, content } }: Inspected,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const handle = await open(target, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of archive.pass({ signal })) {
      signal.throwIfAborted()
      const left = Math.max(0, content.bytes - bytes) // what follows is the trailer
      hash.update(chunk.subarray(0, left))
      bytes += chunk.length
      await writeAll(handle, chunk)
    }
    if (hash.digest('hex') !== content.sha256 || bytes < content.bytes)
      throw new Failure({
        kind: 'archive',
        path,
        problem: 'it was changed while it was read',
      })
    await handle.sync()
  } finally {
    await handle.close()
  }
}
