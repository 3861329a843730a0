import { fieldsOf } from '../../protobuf.js'

/**
 * The blob of a SnapshotResponse (etcd: api/etcdserverpb/rpc.proto, `bytes blob = 3`), cut out of the message without
 * a copy. By hand, since the generic parser makes the whole stream a third slower. Throws RangeError on a message that
 * is cut short.
 */
export function parseSnapshotResponse(message: Buffer): Buffer {
  let blob: Buffer = Buffer.alloc(0)
  for (const [field, value] of fieldsOf(message)) if (field === 3 && typeof value !== 'number') blob = value
  return blob
}

/**
 * `string storageVersion = 11` and `int64 dbSizeQuota = 12` of a StatusResponse, which etcd has from 3.6 on and etcd3's
 * rpc.proto does not; a quota of 0 is unset.
 */
export function newInStatus(message: Buffer): Readonly<{ quota?: number; storageVersion?: string }> {
  const found: { quota?: number; storageVersion?: string } = {}
  for (const [field, value] of fieldsOf(message)) {
    if (field === 11 && typeof value !== 'number') found.storageVersion = value.toString()
    if (field === 12 && typeof value === 'number' && value > 0 && Number.isSafeInteger(value))
      found.quota = value
  }
  return found
}
