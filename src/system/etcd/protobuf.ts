/** Wire types (protobuf.dev/programming-guides/encoding). */
const VARINT = 0
const LENGTH_DELIMITED = 2

/** The fields of a message, in order; those of other wire types than etcd's answers have are a RangeError, as is a cut. */
function* fieldsOf(message: Buffer): Generator<readonly [field: number, value: number | Buffer]> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    if ((tag & 7) === VARINT) {
      yield [field, varint()]
      continue
    }
    if ((tag & 7) !== LENGTH_DELIMITED) throw new RangeError(`unknown field type ${tag & 7} in an answer`)
    const length = varint()
    if (at + length > message.length) throw new RangeError('an answer is cut short')
    yield [field, message.subarray(at, at + length)]
    at += length
  }
}

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
