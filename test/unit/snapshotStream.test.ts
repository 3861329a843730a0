import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
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

const IDLE_MS = 90

const blobs = (stream: Readable, idleMs?: number) =>
  blobsOf(stream as unknown as ClientReadableStream<Buffer>, failure, new AbortController().signal, idleMs)

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

/** Node's own: a mocked timer takes no notice of being set again. */
describe('the stream of a snapshot, with real timers', () => {
  it('goes on for longer than it may be silent, and is cancelled once it is', async () => {
    const stream = streamOf()
    const reader = blobs(stream, IDLE_MS)
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
    const reader = blobs(stream, IDLE_MS)
    stream.push(Buffer.from('one'))
    await reader.next()
    await sleep(3 * IDLE_MS)
    stream.push(Buffer.from('two'))
    assert.equal(String((await reader.next()).value), 'two')
    await assert.rejects(reader.next(), /the stream sent nothing/)
  })
})
