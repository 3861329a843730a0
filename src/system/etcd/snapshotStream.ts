import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import type { Failure } from '../../model/fault.js'
import { CallError, translate } from './callError.js'

/** A snapshot stream that sends nothing for so long is taken for dead, as is a member asked for one. */
export const SNAPSHOT_IDLE_MS = 30_000

/**
 * The blobs as they come. A stream that breaks off, or falls silent, is what `failure` makes of it; a signal cancels it.
 * However it is left, the call is over on the server too.
 */
export async function* blobsOf(
  stream: ClientReadableStream<Buffer>,
  failure: (error: unknown) => Failure,
  signal: AbortSignal,
  idleMs = SNAPSHOT_IDLE_MS,
): AsyncGenerator<Buffer> {
  let stalled = false
  let isWaiting = true // while the caller is busy with a blob, the silence is not the member's
  const idle = setTimeout(() => {
    if (!isWaiting) return // it is set again when the caller is back
    stalled = true
    stream.cancel()
  }, idleMs)
  const stop = () => stream.cancel()
  signal.addEventListener('abort', stop)
  try {
    for await (const blob of stream) {
      isWaiting = false
      yield blob as Buffer
      isWaiting = true
      idle.refresh()
    }
  } catch (error) {
    signal.throwIfAborted()
    if (stalled)
      throw failure(new CallError(`the stream sent nothing for ${idleMs / 1000} s`, { mayHaveRun: false }))
    throw failure(translate(error as ServiceError, idleMs))
  } finally {
    clearTimeout(idle)
    signal.removeEventListener('abort', stop)
    stream.cancel()
  }
}
