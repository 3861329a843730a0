import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientReadableStream } from '@grpc/grpc-js'
import { Failure } from '../../src/model/fault.js'
import { blobsOf } from '../../src/system/etcd/snapshotStream.js'

const failure = (error: unknown) => new Failure({ kind: 'backup', path: '/archive', problem: String(error) })

/** A stream of the call that ends with an error once it is cancelled, as grpc-js' do. */
function streamOf(): Readable & { cancelled: number } {
  const stream = Object.assign(new Readable({ objectMode: true, read: () => {} }), { cancelled: 0 })
  return Object.assign(stream, {
    cancel: () => {
      stream.cancelled += 1
      stream.destroy(Object.assign(new Error('1 CANCELLED: Cancelled on client'), { code: 1, details: '' }))
    },
  })
}

const IDLE_MS = 90

const blobs = (stream: Readable) =>
  blobsOf(stream as unknown as ClientReadableStream<Buffer>, failure, new AbortController().signal, IDLE_MS)

/** With Node's own timers: a mocked one takes no notice of being set again. */
describe('the stream of a snapshot', () => {
  it('goes on for longer than it may be silent, and is cancelled once it is', async () => {
    const stream = streamOf()
    const reader = blobs(stream)
    for (let n = 0; n < 6; n++) {
      const next = reader.next()
      await sleep(IDLE_MS / 3)
      stream.push(Buffer.from(String(n)))
      assert.equal(String((await next).value), String(n))
    }
    assert.equal(stream.cancelled, 0)
    await assert.rejects(reader.next(), /the stream sent nothing for 0\.09 s/)
    assert.ok(stream.cancelled > 0)
  })

  it('is not blamed for a caller that is busy, and is watched again after that', async () => {
    const stream = streamOf()
    const reader = blobs(stream)
    stream.push(Buffer.from('one'))
    await reader.next()
    await sleep(3 * IDLE_MS)
    stream.push(Buffer.from('two'))
    assert.equal(String((await reader.next()).value), 'two')
    await assert.rejects(reader.next(), /the stream sent nothing/)
  })
})
