/** Puts pieces together, in memory that is used again for the next ones. */
export class Gathered {
  #memory: Buffer = Buffer.alloc(0)
  length = 0

  add(piece: Buffer): void {
    const length = this.length + piece.length
    if (length > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#memory.length * 2))
      this.#memory.copy(larger, 0, 0, this.length)
      this.#memory = larger
    }
    piece.copy(this.#memory, this.length)
    this.length = length
  }

  /** What was put together; until it is added to or cleared. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }
}
