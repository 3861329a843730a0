/**
 * Protobuf messages as strings of one char a byte, which V8 joins without copying: made of ASCII only, as all that the
 * generator writes is. (protobuf.dev/programming-guides/encoding)
 */
export type Message = string

export function varint(value: number): Message {
  let rest = value
  let bytes = ''
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes += String.fromCharCode((rest % 128) | 0x80)
  return bytes + String.fromCharCode(rest)
}

/** A string, bytes or a message within a message. */
export const part = (field: number, content: Message): Message =>
  varint(field * 8 + 2) + varint(content.length) + content

export const number = (field: number, value: number): Message => varint(field * 8) + varint(value)

/** `map<string, string>`. */
export const map = (field: number, entries: Readonly<Record<string, string>>): Message =>
  Object.entries(entries)
    .map(([key, value]) => part(field, part(1, key) + part(2, value)))
    .join('')

export const bytesOf = (message: Message): Buffer => Buffer.from(message, 'latin1')
