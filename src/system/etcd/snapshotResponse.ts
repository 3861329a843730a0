/** Field 3, length-delimited: `bytes blob` (etcd: api/etcdserverpb/rpc.proto, `SnapshotResponse`). */
const BLOB = (3 << 3) | 2

/**
 * The blob of a SnapshotResponse, cut out of the message without a copy. By hand, since the generic parser
 * makes the whole stream a third slower. Throws RangeError on a message that is cut short.
 */
export function parseSnapshotResponse(message: Buffer): Buffer {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  let blob: Buffer = Buffer.alloc(0)
  while (at < message.length) {
    const tag = varint()
    if ((tag & 7) === 0) {
      varint() // remaining_bytes
      continue
    }
    if ((tag & 7) !== 2) throw new RangeError(`SnapshotResponse has an unknown field type ${tag & 7}`)
    const length = varint()
    if (at + length > message.length) throw new RangeError('SnapshotResponse is cut short')
    if (tag === BLOB) blob = message.subarray(at, at + length)
    at += length
  }
  return blob
}
