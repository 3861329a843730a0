import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import type { ClientReadableStream } from '@grpc/grpc-js'
import { Failure } from '../../src/model/fault.js'
import { blobsOf, SNAPSHOT_IDLE_MS } from '../../src/system/etcd/snapshotStream.js'

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

const blobs = (stream: Readable) =>
  blobsOf(stream as unknown as ClientReadableStream<Buffer>, failure, new AbortController().signal)

describe('the stream of a snapshot', () => {
  it('that falls silent is cancelled, and what it sent before is not lost', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const stream = streamOf()
    const reader = blobs(stream)
    stream.push(Buffer.from('one'))
    assert.equal(String((await reader.next()).value), 'one')
    const next = reader.next()
    await new Promise(resolve => setImmediate(resolve))
    t.mock.timers.tick(SNAPSHOT_IDLE_MS - 1)
    assert.equal(stream.cancelled, 0)
    t.mock.timers.tick(1)
    await assert.rejects(next, /the stream sent nothing for 30 s/)
    assert.ok(stream.cancelled > 0)
  })

  it('is not blamed for a caller that is busy', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const stream = streamOf()
    const reader = blobs(stream)
    stream.push(Buffer.from('one'))
    await reader.next()
    t.mock.timers.tick(5 * SNAPSHOT_IDLE_MS)
    stream.push(Buffer.from('two'))
    stream.push(null)
    assert.equal(String((await reader.next()).value), 'two')
    assert.equal((await reader.next()).done, true)
  })
})
