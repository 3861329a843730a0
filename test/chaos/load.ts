import { setTimeout as sleep } from 'node:timers/promises'
import type { Etcd3 } from 'etcd3'
import { clientAt } from './client.js'
import type { Acknowledged } from './history.js'

const WRITERS = 4
/** Between two writes of one writer: some 200 writes a second leave two cores time for the rest. */
const PAUSE_MS = 10
/** After which a writer turns to the next member. */
const TIMEOUT_MS = 400

/**
 * Clients that write all the time, each to a key of its own, and turn to another member when one does not answer. A
 * value is written only where the key is as its writer knows it, so that each write counts once or not at all.
 */
export class Load implements AsyncDisposable {
  readonly acknowledged: Acknowledged[] = []
  readonly sent = new Map<string, string[]>()
  readonly #clients: readonly Etcd3[]
  readonly #writers: readonly Promise<void>[]
  #isOver = false

  constructor(urls: readonly string[], prefix: string) {
    this.#clients = urls.map(url => clientAt(url, TIMEOUT_MS))
    this.#writers = Array.from({ length: WRITERS }, (_, n) => this.#write(`writer${n}`, `${prefix}${n}`, n))
  }

  async #write(client: string, key: string, first: number): Promise<void> {
    const values: string[] = []
    const sentAt = new Map<string, number>()
    this.sent.set(key, values)
    let known = '0' // the key's revision; 0 is none (etcd: api/etcdserverpb/rpc.proto, `Compare`)
    let at = first
    while (!this.#isOver) {
      const value = String(values.length + 1)
      values.push(value)
      sentAt.set(value, performance.now())
      try {
        const etcd = this.#clients[at % this.#clients.length] as Etcd3
        const answer = await etcd
          .if(key, 'Mod', '==', known)
          .then(etcd.put(key).value(value))
          .else(etcd.get(key))
          .commit()
        // Not as it was known: one of the writes without an answer has taken effect, and this tells which.
        const found = answer.responses[0]?.response_range?.kvs[0]
        known = answer.succeeded ? answer.header.revision : (found?.mod_revision ?? '0')
        if (!answer.succeeded && found === undefined) continue // lost; the history shows it
        const written = answer.succeeded ? value : String(found?.value)
        this.acknowledged.push({
          client,
          key,
          value: written,
          revision: BigInt(known),
          sentAt: sentAt.get(written) ?? Number.NaN,
          knownAt: performance.now(),
        })
      } catch {
        at += 1 // it may have taken effect or not; the next one tells
      }
      await sleep(PAUSE_MS)
    }
  }

  /** Waits until so many more writes were acknowledged; false where that takes longer than `timeoutMs`. */
  async goesOn(writes: number, timeoutMs: number): Promise<boolean> {
    const wanted = this.acknowledged.length + writes
    for (const end = performance.now() + timeoutMs; this.acknowledged.length < wanted; await sleep(20))
      if (performance.now() > end) return false
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#writers)
    for (const client of this.#clients) client.close()
  }
}
