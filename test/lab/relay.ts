import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A connection that stands still since so many bytes came from the member: goes on or ends as it is told. */
export type Held = Readonly<{ resume(): void; cut(): void }>

/** A TCP relay in front of a member that can stop what the member sends, in the middle of it. */
export class Relay implements AsyncDisposable {
  readonly url: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #limit = Number.POSITIVE_INFINITY
  #onHeld: (held: Held) => void = () => {}

  private constructor(server: Server, target: URL) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', client => this.#join(client, target))
  }

  /** `target`: the member's client URL, http. */
  static async before(target: string): Promise<Relay> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Relay(server, new URL(target))
  }

  #join(client: Socket, target: URL): void {
    const member = connect(Number(target.port), target.hostname)
    const cut = () => {
      client.destroy()
      member.destroy()
    }
    for (const socket of [client, member]) {
      this.#sockets.add(socket)
      socket.on('error', cut).on('close', () => {
        this.#sockets.delete(socket)
        cut()
      })
    }
    client.pipe(member)
    let received = 0
    member.on('data', chunk => {
      received += chunk.length
      if (!client.write(chunk)) {
        member.pause()
        client.once('drain', () => member.resume())
      }
      if (received < this.#limit) return
      this.#limit = Number.POSITIVE_INFINITY
      client.removeAllListeners('drain')
      member.pause()
      this.#onHeld({ resume: () => void member.resume(), cut })
    })
  }

  /** Stops the first connection on which so many bytes have come from the member; only a snapshot is large. */
  heldAfter(bytes: number): Promise<Held> {
    this.#limit = bytes
    return new Promise(resolve => {
      this.#onHeld = resolve
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
