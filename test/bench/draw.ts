const HEX = '0123456789abcdef'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** k8s.io/apimachinery: pkg/util/rand, alphanums. */
const SUFFIX = 'bcdfghjklmnpqrstvwxz2456789'
const WORDS =
  `timeout retry limit pool size host port enabled level format path cache ttl queue worker thread region zone bucket
prefix token issuer client server metrics trace sample rate batch window buffer backoff jitter quota policy mode feature flag
default fallback primary replica shard index schema table topic group consumer producer endpoint scheme verify secure`.split(
    /\s+/,
  )

/** Draws what objects are made of from numbers between 0 and 1. */
export class Draw {
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  of<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0]
  }

  word(): string {
    return WORDS[this.below(WORDS.length)] ?? ''
  }

  hex(length: number): string {
    return this.#chars(HEX, 4, length)
  }

  base64(length: number): string {
    return this.#chars(BASE64, 6, length)
  }

  suffix(length: number): string {
    let text = ''
    for (let i = 0; i < length; i++) text += SUFFIX[this.below(SUFFIX.length)]
    return text
  }

  uuid(): string {
    const hex = this.hex(32)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** As many chars from each number as its 32 bits hold. */
  #chars(alphabet: string, bits: number, length: number): string {
    const mask = (1 << bits) - 1
    let text = ''
    for (let [rest, left] = [0, 0]; text.length < length; left -= bits) {
      if (left < bits) {
        rest = this.below(2 ** 32)
        left = 32
      }
      text += alphabet[(rest >>> (left - bits)) & mask]
    }
    return text
  }
}
