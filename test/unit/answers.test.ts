import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import fc from 'fast-check'
import { idOf, memberOf, type StatusAnswer, statusOf } from '../../src/system/etcd/answers.js'
import { newInStatus, parseSnapshotResponse } from '../../src/system/etcd/protobuf.js'
import { noise } from './fixtures.js'

/** Etcd's own messages, read as etcd3 reads them (etcd3: lib/connection-pool.js). */
const proto = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto')
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true } as const
const maintenance = loadSync(proto, options)['etcdserverpb.Maintenance'] as ServiceDefinition

/** The message as it comes off the wire. */
const encoded = (method: 'Status' | 'Snapshot', message: object): Buffer =>
  maintenance[method]?.responseSerialize(message) ?? Buffer.alloc(0)
const statusAnswer = (message: object) =>
  maintenance['Status']?.responseDeserialize(encoded('Status', message)) as StatusAnswer

describe('an id', () => {
  it('of 64 bits is lower-case hex without leading zeros, as etcdctl prints it', () => {
    assert.equal(idOf('13803658152347727308'), 'bf9071f4639c75cc')
    assert.equal(idOf('18446744073709551615'), 'ffffffffffffffff')
    assert.equal(idOf('255'), 'ff')
  })

  it('of a member comes with its names and URLs', () => {
    const answer = { ID: '10', name: 'a', peerURLs: ['p'], clientURLs: [], isLearner: true }
    assert.deepEqual(memberOf(answer), { id: 'a', name: 'a', peerUrls: ['p'], clientUrls: [], learner: true })
  })
})

describe('the status of a member', () => {
  const full = {
    header: { cluster_id: '1', member_id: '2' },
    ...{ version: '3.5.30', dbSize: '9007199254740991', dbSizeInUse: '5', leader: '13803658152347727308' },
    ...{ raftIndex: '18446744073709551615', raftTerm: '7', raftAppliedIndex: '18446744073709551614' },
  }

  it('has its sizes as numbers and what raft counts as bigint, exact to 64 bits', () => {
    assert.deepEqual(statusOf(statusAnswer(full)), {
      ...{ version: '3.5.30', dbSize: 9007199254740991, dbSizeInUse: 5, leader: 'bf9071f4639c75cc' },
      ...{
        raftIndex: 2n ** 64n - 1n,
        raftTerm: 7n,
        raftAppliedIndex: 2n ** 64n - 2n,
        alarms: [],
        errors: [],
        quota: undefined,
      },
    })
  })

  it('of an old or new etcd may lack fields', () => {
    assert.deepEqual(statusOf(statusAnswer({ header: {} })), {
      ...{ version: '', dbSize: 0, dbSizeInUse: 0, leader: undefined, raftIndex: 0n, raftTerm: 0n },
      ...{ raftAppliedIndex: 0n, alarms: [], errors: [], quota: undefined },
    })
  })

  it('has no leader where etcd says 0', () => {
    assert.equal(statusOf(statusAnswer({ ...full, leader: '0' })).leader, undefined)
  })

  it('has alarms apart from the other errors they stand among', () => {
    const errors = [
      'etcdserver: no leader',
      'memberID:13803658152347727308 alarm:NOSPACE ',
      'memberID:18446744073709551615 alarm:CORRUPT ',
      'memberID:1 alarm:SOMETHING_NEW ',
      'see memberID:1 alarm:NOSPACE ',
    ]
    const { alarms, errors: others } = statusOf(statusAnswer({ ...full, errors }))
    assert.deepEqual(alarms, [
      { member: 'bf9071f4639c75cc', kind: 'NOSPACE' },
      { member: 'ffffffffffffffff', kind: 'CORRUPT' },
    ])
    assert.deepEqual(others, [errors[0], errors[3], errors[4]])
  })
})

describe('the quota in a status', () => {
  /** `int64 dbSizeQuota = 12` after the fields that etcd3 knows. */
  const withQuota = (...varint: number[]) =>
    Buffer.concat([encoded('Status', { version: '3.6.6', dbSize: '5' }), Buffer.of(12 << 3, ...varint)])

  it('is there from etcd 3.6 on', () => {
    assert.equal(newInStatus(withQuota(0x80, 0x80, 0x80, 0x80, 0x08)).quota, 2 ** 31)
    assert.equal(newInStatus(encoded('Status', { version: '3.5.30', dbSize: '5' })).quota, undefined)
  })

  it('comes with the version of the storage', () => {
    const version = Buffer.from('3.6.0')
    const message = Buffer.concat([
      encoded('Status', { version: '3.6.6' }),
      Buffer.of((11 << 3) | 2, version.length),
      version,
    ])
    assert.deepEqual(newInStatus(message), { storageVersion: '3.6.0' })
  })

  it('is unknown where etcd says 0 or that there is none', () => {
    assert.equal(newInStatus(withQuota(0)).quota, undefined)
    assert.equal(newInStatus(withQuota(...Array<number>(9).fill(0xff), 0x01)).quota, undefined) // -1
  })
})

describe('a piece of a snapshot', () => {
  const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)
  const header = fc.record({ cluster_id: id, member_id: id, raft_term: id })
  const message = fc.record(
    { header, remaining_bytes: id, blob: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
    { requiredKeys: ['blob'] },
  )

  it('is the blob of the message, whatever else is in it', () => {
    const property = fc.property(message, fc.string(), (response, version) => {
      const known = encoded('Snapshot', response)
      assert.ok(parseSnapshotResponse(known).equals(response.blob))
      // From 3.6 on: `string version = 4` (etcd: api/etcdserverpb/rpc.proto).
      const text = Buffer.from(version).subarray(0, 127)
      const newer = Buffer.concat([known, Buffer.of((4 << 3) | 2, text.length), text])
      assert.ok(parseSnapshotResponse(newer).equals(response.blob))
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('may be as large as it likes', () => {
    const blob = noise(3 << 20)
    assert.ok(parseSnapshotResponse(encoded('Snapshot', { blob, remaining_bytes: '1' })).equals(blob))
  })

  it('that is cut short is no piece', () => {
    const property = fc.property(message, fc.nat(400), (response, cut) => {
      const whole = encoded('Snapshot', response)
      const part = whole.subarray(0, cut % (whole.length || 1))
      try {
        const blob = parseSnapshotResponse(part)
        // Cut between two fields it is a whole message, without the blob.
        assert.equal(blob.length, 0)
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('that is noise ends in bytes of it or in a RangeError', () => {
    const likely = fc.array(fc.constantFrom(0, 8, 10, 16, 26, 34, 127, 128, 255, 13, 9, 11))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      likely,
      fc.constant(Array<number>(5000).fill(255)),
    )
    const property = fc.property(bytes, some => {
      const noisy = Buffer.from(some)
      try {
        assert.ok(noisy.includes(parseSnapshotResponse(noisy)))
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })
})
