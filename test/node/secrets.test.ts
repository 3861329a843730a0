import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { Cluster } from '../lab/cluster.js'
import { etcdDefrag, start } from '../lab/command.js'

/** Takes connections and never answers. */
class SilentServer implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets: Socket[] = []

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', socket => this.#sockets.push(socket.on('error', () => {})))
  }

  static async listen(): Promise<SilentServer> {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return new SilentServer(server)
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }

  /** Waits for the next connection. */
  async connected(): Promise<void> {
    await once(this.#server, 'connection')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

test('a password is in no output, whatever goes wrong', async () => {
  await using cluster = await Cluster.start({ size: 1, tls: false })
  const [member] = cluster.members
  assert.ok(member)
  await cluster.etcdctl(['user', 'add', 'root:secret'])
  await cluster.etcdctl(['user', 'add', 'guest:secret'])
  await cluster.etcdctl(['auth', 'enable'])
  const given = ['--user', 'root', '--password', 'secret']
  const job = ['--force-single', '--no-trim', '--no-backup']
  const attempts: readonly (readonly [
    number | 'any',
    readonly string[],
    Readonly<Record<string, string>>?,
  ])[] = [
    [0, ['status', '--show-config', ...given]],
    [0, ['status', '--show-config', '--output', 'json', '--user', 'root:secret']],
    [0, ['run', '--help', ...given]],
    [0, ['run', ...job, ...given]],
    [0, ['plan', ...given, '--output', 'json']],
    ['any', ['run', ...job, '--output', 'json', '--user', 'guest:secret']],
    [69, ['status', '--user', 'nobody:secret']],
    [78, ['status', '--passwrod', 'secret']],
    [78, ['status', '--password', 'secret', ...given]],
    [78, ['status', '--password', 'secret']],
    [78, ['status', '--user', ':secret']],
    [78, ['status'], { ETCD_DEFRAG_PASSWRD: 'secret' }],
    [78, ['status', '--command-timeout', '5'], { ETCDCTL_USER: 'root:secret' }],
  ]
  for (const [code, args, env = {}] of attempts) {
    const ended = await etcdDefrag([...cluster.flags(member), ...args], { env })
    if (code !== 'any') assert.equal(ended.code, code, `${args.join(' ')}\n${ended.stderr}`)
    assert.doesNotMatch(ended.stdout + ended.stderr, /secret/, args.join(' '))
  }
})

test('a password on the command line cannot be read in the list of processes once the command runs', async () => {
  await using silent = await SilentServer.listen()
  for (const given of [
    ['--user', 'root:secret'],
    ['--user=root', '--password=secret'],
  ]) {
    const args = ['--endpoints', silent.url, '--dial-timeout', '1m', '--command-timeout', '1m', ...given]
    const running = start(['status', ...args])
    await silent.connected()
    const shown = await readFile(`/proc/${running.pid}/cmdline`, 'utf8')
    running.kill('SIGTERM')
    const ended = await running.ended
    assert.equal(shown.replaceAll('\0', ''), 'etcd-defrag')
    assert.equal(ended.code, 75)
    assert.doesNotMatch(ended.stdout + ended.stderr, /secret/)
  }
})
