import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

type Link = Readonly<{ near: Socket; far: Socket }>

/** A TCP proxy in front of one member: passes on, delays, falls silent, or cuts. */
export class Gateway implements AsyncDisposable {
  readonly #server: Server
  readonly #links = new Set<Link>()
  #target = 0 // port
  #delayMs = 0
  #isSilent = false

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', near => this.#link(near))
  }

  static async listen(): Promise<Gateway> {
    // Half-open, so that each side's end is passed on as it comes.
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gateway(server)
  }

  /** The URL in front of `clientUrl`. */
  before(clientUrl: string): string {
    this.#target = Number(new URL(clientUrl).port)
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Everything arrives that much later, in order. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Nothing arrives and nothing is refused; what was said meanwhile is lost with its connections at the end of it. */
  silence(): void {
    this.#isSilent = true
  }

  cut(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  heal(): void {
    if (this.#isSilent) this.cut()
    this.#delayMs = 0
    this.#isSilent = false
  }

  #link(near: Socket): void {
    const far = new Socket({ allowHalfOpen: true }).connect(this.#target, '127.0.0.1')
    const link = { near, far }
    this.#links.add(link)
    this.#pass(near, far)
    this.#pass(far, near)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        other.destroy()
        this.#links.delete(link)
      })
    }
  }

  #pass(from: Socket, to: Socket): void {
    let queue = Promise.resolve()
    const later = (act: () => void) => {
      const due = this.#delayMs > 0 ? sleep(this.#delayMs) : undefined
      queue = queue.then(async () => {
        await due
        if (!this.#isSilent && !to.destroyed) act()
      })
    }
    from.on('data', chunk => later(() => void to.write(chunk)))
    from.on('end', () => later(() => void to.end()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
