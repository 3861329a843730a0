import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Prints a line as soon as its loopback is up, and somebody listens at each port of it that is named. */
const inside = `ip link set lo up && exec "$0" -e '
const servers = process.argv.slice(1).map(port => require("node:net").createServer(s => s.destroy()).listen(port, "127.0.0.1"))
Promise.all(servers.map(server => require("node:events").once(server, "listening"))).then(() => console.log("up"))
setInterval(() => {}, 1e9)' "$@"`

/** A network of its own with a loopback, for a `Node`: that of its process `pid`, which takes connections at some ports. */
export class OwnNetwork implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  static async create(...ports: readonly number[]): Promise<OwnNetwork> {
    // Who is not root is root in a user namespace.
    const own = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--net', '--']
    const holder = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', ...own, 'sh', '-c', inside, process.execPath, ...ports.map(String)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const ended = once(holder, 'exit').then(() => Promise.reject(new Error('no network of its own')))
    ended.catch(() => {}) // at its due end nobody waits for it
    await Promise.race([once(holder.stdout, 'data'), ended])
    return new OwnNetwork(holder)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }
}
