import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Transform } from 'node:stream'
import lzma from 'lzma-native'

/**
 * Preset 3 on at most two threads: an 8 to 1 archive of Kubernetes-like data in half the time of xz's
 * default, beside an etcd that wants the other cores. Threads also make liblzma write block sizes, without
 * which `xz -T0 -d` decodes on one core only; CRC64 is xz's own default check, lzma-native's is CRC32.
 */
const encoder = () => {
  const options = { preset: 3 as const, threads: Math.min(2, availableParallelism()), check: CHECK_CRC64 }
  return lzma.createStream('easyEncoder', options as object) // its types want the name of the check, its code the number
}

/** lzma_check in liblzma's lzma/check.h. */
const CHECK_CRC64 = 4

type Sink = (chunk: Buffer) => Promise<void> | void

/** Compresses `source` into a .xz container, handed to `sink` piece by piece. */
export const compress = (source: AsyncIterable<Buffer>, sink: Sink): Promise<void> =>
  pump(source, encoder(), sink)

/** Decodes a .xz container; rejects when it is damaged, cut off or followed by what is no .xz. */
export const decompress = (source: AsyncIterable<Buffer>, sink: Sink): Promise<void> =>
  pump(source, lzma.createStream('streamDecoder', {}), sink)

/**
 * Drives the coder by hand: inside `pipeline()` lzma-native's stream never reports that it finished, and the
 * process would end before the archive is in place.
 */
async function pump(source: AsyncIterable<Buffer>, coder: Transform, sink: Sink): Promise<void> {
  const ended = new AbortController()
  const failed = new Promise<never>((_, reject) => coder.once('error', reject))
  const fed = (async () => {
    for await (const chunk of source) {
      if (!coder.write(chunk)) await once(coder, 'drain', { signal: ended.signal })
    }
    coder.end()
  })()
  const drained = (async () => {
    for await (const chunk of coder) await sink(chunk as Buffer)
  })()
  try {
    await Promise.race([Promise.all([fed, drained]), failed])
  } finally {
    ended.abort()
    failed.catch(() => {}) // told above, or nobody waits for it any more
    await Promise.allSettled([fed])
    coder.destroy()
    await Promise.allSettled([drained])
  }
}
