import { availableParallelism } from 'node:os'
import type { Transform } from 'node:stream'
import lzma from 'lzma-native'

/**
 * Preset 1 on at most two threads: archives of Kubernetes-like data are a fifth larger than those of xz's default, in a fifth
 * of its time, beside an etcd that wants the cores; up to preset 3 they hardly shrink, and preset 0 looks back a quarter as
 * far (BENCHMARKS.md). Threads also make liblzma write block sizes, without which `xz -T0 -d` decodes on one
 * core only.
 */
export const encoding = () => ({
  preset: 1,
  threads: Math.min(2, availableParallelism()),
  blockSize: 4 * 1024 * 1024, // smaller ones make it larger, larger ones take more memory
})

const encoder = () => {
  const options = { ...encoding(), check: CHECK_CRC64 }
  return lzma.createStream('easyEncoder', options as object) // its types want the name of the check, its code the number
}

/** lzma_check in liblzma's lzma/check.h. */
const CHECK_CRC64 = 4 // xz's own default, which lzma-native's is not

type Sink = (chunk: Buffer) => Promise<void> | void

/** Compresses `source` into a .xz container, handed to `sink` piece by piece. */
export async function compress(source: AsyncIterable<Buffer>, sink: Sink): Promise<void> {
  for await (const chunk of through(encoder(), source)) await sink(chunk)
}

/** LZMA_CONCATENATED in liblzma's lzma/container.h. */
const CONCATENATED = 8

/** What the decoder may take: the 65 MiB of `xz -9` and its like, not the gigabytes that a hostile header can ask for. */
const DECODER_MEMORY = 256 * 1024 * 1024

/** A .xz container that does not decode. `at` and `after` are bytes: of the container, and of what is in it. */
export class XzDamage extends Error {
  override readonly name = 'XzDamage'
  readonly at: number
  readonly after: number

  constructor(problem: string, at: number, after: number, cause: unknown) {
    super(problem, { cause })
    this.at = at
    this.after = after
  }
}

/** Bytes of a container that are decoded at a time: all that comes of them is in memory at once. */
const PIECE = 16 * 1024

/**
 * Decodes a .xz container, or several one behind the other as `xz -d` does. Throws `XzDamage` where it is damaged, cut
 * off or followed by what is no .xz.
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // Its types know neither the options nor the counters (lzma-native: README, "memlimit", "totalIn()").
  const options = { memlimit: DECODER_MEMORY, flags: CONCATENATED }
  const decoder = lzma.createStream('streamDecoder', options as object) as unknown as Transform & Counters
  try {
    yield* through(decoder, inPieces(source))
  } catch (error) {
    if (!(error instanceof Error && error.name.startsWith('LZMA_'))) throw error
    const problem = problems[error.name] ?? `the xz stream cannot be decoded (${error.name})`
    throw new XzDamage(problem, decoder.totalIn(), decoder.totalOut(), error)
  }
}

async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of source)
    for (let at = 0; at < chunk.length; at += PIECE) yield chunk.subarray(at, at + PIECE)
}

type Counters = Readonly<{ totalIn(): number; totalOut(): number }>

/** What the decoder's errors mean (liblzma: lzma/base.h, lzma_ret). */
const problems: Readonly<Record<string, string>> = {
  LZMA_BUF_ERROR: 'the xz stream is cut off',
  LZMA_DATA_ERROR: 'the xz stream is damaged',
  LZMA_FORMAT_ERROR: 'there is no xz stream',
  LZMA_OPTIONS_ERROR: 'the xz stream is damaged, or made by a newer xz',
  LZMA_MEMLIMIT_ERROR: `the xz stream is damaged, or takes more than ${DECODER_MEMORY >> 20} MiB of memory to decode`,
}

/**
 * Drives the coder by hand: inside `pipeline()` lzma-native's stream never reports that it finished, and the process
 * would end before the archive is in place. It is done with a piece when it asks `source` for the next.
 */
async function* through(coder: Transform, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isOver = false
  let goOn = () => {}
  const end = () => {
    isOver = true
    goOn()
  }
  let failure: unknown
  coder.on('error', error => {
    failure ??= error
    end()
  })
  const fed = (async () => {
    for await (const chunk of source) {
      if (isOver) return // after an error lzma-native takes nothing more, and says so to nobody
      const taken = new Promise<void>(resolve => (goOn = resolve))
      coder.write(chunk, () => goOn())
      await taken
      if (isOver) return
    }
    coder.end()
  })().catch(error => coder.destroy(error))
  try {
    yield* coder as AsyncIterable<Buffer>
  } catch (error) {
    failure ??= error
  } finally {
    end()
    await fed
    coder.destroy()
  }
  if (failure !== undefined) throw failure
}
