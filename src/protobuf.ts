/** Wire types (protobuf.dev/programming-guides/encoding). */
const VARINT = 0
const LENGTH_DELIMITED = 2

/** The fields of a message, in order; those of other wire types than etcd's messages have are a RangeError, as is a cut. */
export function* fieldsOf(message: Buffer): Generator<readonly [field: number, value: number | Buffer]> {
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
    if ((tag & 7) !== LENGTH_DELIMITED) throw new RangeError(`unknown field type ${tag & 7} in a message`)
    const length = varint()
    if (at + length > message.length) throw new RangeError('a message is cut short')
    yield [field, message.subarray(at, at + length)]
    at += length
  }
}
