import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Authority } from './certificates.js'
import { programOf } from './cluster.js'
import { documentOf, type Ended, main, type Running, start } from './command.js'

/** Absolute paths on the node, and what is in the files. */
export type Files = Readonly<Record<string, string>>
export type Variables = Readonly<Record<string, string>>
/** What `status --show-config --output json` prints. */
export type ShownConfig = Readonly<{
  options: Readonly<Record<string, Readonly<{ value: string; from: string }>>>
  quota: number | null
  notes: readonly string[]
}>

const isRoot = process.getuid?.() === 0
/** Who is not root is root in a user namespace. */
const asRoot: readonly string[] = isRoot ? [] : ['--map-root-user']
const ownMounts = ['--mount', '--propagation', 'private'] as const

/** Binds each `ro|rw PATH` up to `--` below the new root, then becomes the rest in it. */
const enter = `set -e
root=$1
shift
while [ "$1" != -- ]; do
  mount --rbind "$2" "$root$2"
  [ "$1" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 2
done
shift
exec chroot "$root" "$@"`

/** Folders of this machine that programs need; of /etc, /root and /var a node has its own. */
const system = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix', '/proc', '/dev']

/** What is bound as it is, outer folders first. */
const bound = (): readonly string[] =>
  [
    ...system.filter(folder => existsSync(folder) && !lstatSync(folder).isSymbolicLink()),
    tmpdir(),
    dirname(process.execPath),
    dirname(realpathSync(process.execPath)),
    join(main, '../../..'),
  ].sort((a, b) => a.length - b.length)

/** Without root nothing of this machine can be written anyway, and flags of mounts cannot be changed. */
const isWritable = (path: string): boolean => !isRoot || ['/proc', '/dev', tmpdir()].includes(path)

/** Why no node can be had here, as node:test's `skip` takes it; false where one can. */
export const noNode = (): string | false =>
  cannot('a mount namespace of its own', [...asRoot, ...ownMounts, '--', 'mount', '--bind', '/usr', '/usr'])

export const noNetwork = (): string | false =>
  cannot('a network of its own', [...asRoot, '--net', '--', 'ip', 'link', 'set', 'lo', 'up'])

function cannot(need: string, args: readonly string[]): string | false {
  const { status, stderr, error } = spawnSync('unshare', args, { encoding: 'utf8' })
  return status === 0 ? false : `needs ${need}: ${stderr?.trim() || error?.message}`
}

/**
 * A computer of its own as far as files go: a folder that is / for the commands run there, in a mount namespace
 * that ends with them. The network is this machine's, or that of the process `network`.
 */
export class Node implements AsyncDisposable {
  readonly #root: string
  readonly #network: number | undefined

  private constructor(root: string, network: number | undefined) {
    this.#root = root
    this.#network = network
  }

  static async create(files: Files = {}, network?: number): Promise<Node> {
    const node = new Node(await mkdtemp(join(tmpdir(), 'etcd-node-')), network)
    try {
      for (const folder of [...bound(), '/etc', '/root', '/var/lib'])
        await mkdir(join(node.#root, folder), { recursive: true })
      for (const path of system)
        if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
          await symlink(readlinkSync(path), join(node.#root, path))
      await node.write(files)
      return node
    } catch (error) {
      await node[Symbol.asyncDispose]()
      throw error
    }
  }

  async write(files: Files): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.#root, path)), { recursive: true })
      await writeFile(join(this.#root, path), content)
    }
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#root, path), { recursive: true })
  }

  /** The program and arguments with which a command is started to run on the node. */
  get #through(): readonly string[] {
    const mounts = bound().flatMap(path => [isWritable(path) ? 'rw' : 'ro', path])
    const inside = ['--', 'sh', '-c', enter, 'sh', this.#root, ...mounts, '--']
    if (this.#network === undefined) return ['unshare', ...asRoot, ...ownMounts, ...inside]
    // Whoever joins another's user namespace is root there already.
    const user = isRoot ? [] : ['--preserve-credentials', '--user']
    const join = ['nsenter', ...user, '--net', '--target', String(this.#network), '--']
    return [...join, 'unshare', ...ownMounts, ...inside]
  }

  start(args: readonly string[], env: Variables = {}): Running {
    // This machine may name a file for Node.js that the node has not.
    return start(args, { env: { NODE_EXTRA_CA_CERTS: '', ...env }, through: this.#through })
  }

  etcdDefrag(args: readonly string[], env: Variables = {}): Promise<Ended> {
    return this.start(args, env).ended
  }

  async showConfig(args: readonly string[] = [], env: Variables = {}): Promise<ShownConfig> {
    const ended = await this.etcdDefrag(['status', '--show-config', '--output', 'json', ...args], env)
    if (ended.code !== 0) throw new Error(`--show-config ended with ${ended.code}: ${ended.stderr}`)
    return documentOf(ended) as ShownConfig
  }

  /** The mounts went with their namespaces, so nothing of this machine is below the folder any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }
}

/**
 * An etcd at https://127.0.0.1:2379, where kubeadm, k3s and RKE2 have theirs, and so in a network of its own:
 * that of its process `pid`.
 */
export class OwnNetworkEtcd implements AsyncDisposable {
  readonly pki: string
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string, process: ChildProcess) {
    this.#folder = folder
    this.#process = process
    this.pki = join(folder, 'pki')
  }

  static async start(): Promise<OwnNetworkEtcd> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-network-'))
    const authority = await Authority.create(join(folder, 'pki'))
    const server = await authority.issue('server')
    await authority.issue('client', { usages: ['clientAuth'] })
    const log = openSync(join(folder, 'log'), 'a')
    const etcd = new OwnNetworkEtcd(
      folder,
      spawn(
        'setpriv',
        [
          ...['--pdeathsig', 'KILL', '--', 'unshare', ...asRoot, '--net', '--'],
          ...['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', programOf('trixie', 'etcd')],
          `--data-dir=${join(folder, 'data')}`,
          '--listen-client-urls=https://127.0.0.1:2379',
          '--advertise-client-urls=https://127.0.0.1:2379',
          ...[`--cert-file=${server.cert}`, `--key-file=${server.key}`],
          ...[`--trusted-ca-file=${authority.file}`, '--client-cert-auth'],
        ],
        { stdio: ['ignore', log, log] },
      ),
    )
    closeSync(log)
    try {
      await etcd.#serving()
      return etcd
    } catch (error) {
      await etcd[Symbol.asyncDispose]()
      throw error
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Nobody outside can ask it, so its log tells. */
  async #serving(): Promise<void> {
    for (const until = Date.now() + 30_000; ; await sleep(50)) {
      const log = await readFile(join(this.#folder, 'log'), 'utf8')
      if (log.includes('ready to serve client requests')) return
      if (Date.now() > until || this.#process.exitCode !== null)
        throw new Error(`etcd does not serve:\n${log.slice(-2000)}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await gone
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}
