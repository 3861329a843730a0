import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { Failure } from '../model/fault.js'
import { decompress } from './xz.js'

/** An archive or a plain snapshot, opened for reading. */
export class Archive implements AsyncDisposable {
  readonly path: string
  readonly kind: 'xz' | 'db'
  readonly #handle: FileHandle

  private constructor(path: string, kind: 'xz' | 'db', handle: FileHandle) {
    this.path = path
    this.kind = kind
    this.#handle = handle
  }

  static async open(path: string): Promise<Archive> {
    const handle = await open(path, 'r').catch(cause => {
      throw new Failure({ kind: 'archive', path, problem: `cannot be read (${cause.code ?? cause})` }, cause)
    })
    const { buffer } = await handle.read(Buffer.alloc(6), 0, 6, 0)
    return new Archive(path, buffer.toString('latin1') === '\xfd7zXZ\0' ? 'xz' : 'db', handle)
  }

  /** The file itself. */
  raw(): AsyncIterable<Buffer> {
    return createReadStream(this.path, { highWaterMark: 1 << 20 })
  }

  /** The decoded bytes, from the start. */
  async *pass(_watch: Readonly<{ signal: AbortSignal }>): AsyncGenerator<Buffer> {
    if (this.kind === 'db') {
      yield* this.raw()
      return
    }
    const out = new PassThrough({ highWaterMark: 1 << 20 })
    const over = new AbortController()
    const decoded = decompress(this.raw(), async chunk => {
      if (!out.write(chunk)) await once(out, 'drain', { signal: over.signal })
    }).then(
      () => out.end(),
      error => out.destroy(error),
    )
    try {
      yield* out
    } catch (cause) {
      const problem = `does not decode: ${cause instanceof Error ? cause.message : cause}`
      throw new Failure({ kind: 'archive', path: this.path, problem }, cause)
    } finally {
      over.abort()
      await decoded
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
