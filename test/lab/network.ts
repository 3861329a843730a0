import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Cluster, LabMember, Place } from './cluster.js'
import type { Scene, SceneOptions } from './scene.js'

const run = promisify(execFile)
const addressOf = (position: number): string => `10.1.1.${position + 1}`

/** A network namespace that lives as long as a process of ours in it does, and the kernel ends that one with us. */
class Namespace implements AsyncDisposable {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  static async create(): Promise<Namespace> {
    const inside = [
      'unshare',
      '--net',
      '--',
      'sh',
      '-c',
      'ip link set lo up && echo up && exec sleep infinity',
    ]
    const holder = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inside], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(holder, 'exit').then(() => Promise.reject(new Error('no network of its own')))
    ended.catch(() => {}) // at its due end nobody waits for it
    await Promise.race([once(holder.stdout, 'data'), ended])
    return new Namespace(holder)
  }

  get pid(): string {
    return String(this.#holder.pid)
  }

  get through(): readonly string[] {
    return ['nsenter', '--net', '--target', this.pid, '--']
  }

  async run(...command: readonly string[]): Promise<void> {
    const [program = '', ...args] = [...this.through, ...command]
    await run(program, args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const gone = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await gone
  }
}

/**
 * Nodes with a network namespace each, joined by a bridge in one more, where the lab itself looks from. Nothing of
 * this machine's network is touched, and with the namespaces everything in them is gone. Root only.
 */
export class Network implements AsyncDisposable {
  readonly #hub: Namespace
  readonly #nodes: Namespace[] = []

  private constructor(hub: Namespace) {
    this.#hub = hub
  }

  static async create(size: number): Promise<Network> {
    const network = new Network(await Namespace.create())
    try {
      const hub = network.#hub
      await hub.run('ip', 'link', 'add', 'bridge', 'type', 'bridge')
      await hub.run('ip', 'address', 'add', '10.1.1.254/24', 'dev', 'bridge')
      await hub.run('ip', 'link', 'set', 'bridge', 'up')
      for (let i = 0; i < size; i++) {
        const node = await Namespace.create()
        network.#nodes.push(node)
        const peer = ['peer', 'name', 'eth0', 'netns', node.pid]
        await hub.run('ip', 'link', 'add', `port${i}`, 'type', 'veth', ...peer)
        await hub.run('ip', 'link', 'set', `port${i}`, 'master', 'bridge', 'up')
        await node.run('ip', 'address', 'add', `${addressOf(i)}/24`, 'dev', 'eth0')
        await node.run('ip', 'link', 'set', 'eth0', 'up')
      }
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Each node's address, and a process that is in its network namespace. */
  get nodes(): readonly Readonly<{ address: string; pid: string }>[] {
    return this.#nodes.map(({ pid }, i) => ({ address: addressOf(i), pid }))
  }

  /** The program and arguments that a command is started with to look from where all nodes can be reached. */
  get through(): readonly string[] {
    return this.#hub.through
  }

  /** For a scene with one member on each node. */
  get lab(): Pick<SceneOptions, 'places' | 'fill'> {
    const members = this.#nodes.map(({ through }, i): Place => ({ host: addressOf(i), through }))
    return { places: { members, lab: this.#hub.through }, fill: this.#fill }
  }

  /** As `fragment` of fill.ts, from where the members can be reached. */
  readonly #fill = async (cluster: Cluster, megabytes = 20, keep = 10): Promise<Map<string, string>> => {
    const hosts = cluster.members.map(m => m.clientUrl)
    const script = `const { Etcd3 } = await import('etcd3')
      const { fill } = await import(${JSON.stringify(new URL('./fill.js', import.meta.url).href)})
      const kept = await fill(new Etcd3({ hosts: ${JSON.stringify(hosts)} }), ${megabytes}, ${keep})
      process.stdout.write(JSON.stringify([...kept]))`
    const node = [process.execPath, '--no-deprecation', '--input-type=module', '-e', script]
    const [program = '', ...args] = [...this.#hub.through, ...node]
    const { stdout } = await run(program, args, { maxBuffer: 1 << 28 })
    return new Map(JSON.parse(stdout) as [string, string][])
  }

  #nodeOf(member: LabMember): Namespace {
    const node = this.#nodes.find((_, i) => new URL(member.clientUrl).hostname === addressOf(i))
    if (node === undefined) throw new Error(`${member.name} is on no node of this network`)
    return node
  }

  /** Nothing passes between the member and its peers any more; clients reach it still. */
  async cutFromPeers(member: LabMember, members: readonly LabMember[]): Promise<() => Promise<void>> {
    const ports = members.map(m => new URL(m.peerUrl).port).join(', ')
    const rules = [`tcp dport { ${ports} } drop`, `tcp sport { ${ports} } drop`]
    return this.#filter(member, rules)
  }

  /** That share of all packets that come to the member's node is lost. */
  lose(member: LabMember, percent: number): Promise<() => Promise<void>> {
    return this.#filter(member, [`iifname eth0 numgen random mod 100 < ${percent} drop`])
  }

  /** nft(8); resolves to what takes the rules away again. */
  async #filter(member: LabMember, rules: readonly string[]): Promise<() => Promise<void>> {
    const chains = ['input', 'output'].map(
      hook => `chain ${hook} {\ntype filter hook ${hook} priority 0;\n${rules.join('\n')}\n}`,
    )
    const node = this.#nodeOf(member)
    await node.run('nft', `table inet lab {\n${chains.join('\n')}\n}`)
    return () => node.run('nft', 'delete table inet lab')
  }

  /** Cuts a member off, as its witness knows; resolves to what mends it and waits until the cluster is whole again. */
  async breaks(
    scene: Scene,
    member: LabMember,
    how: 'from its peers' | 'from everything',
  ): Promise<() => Promise<void>> {
    const back = scene.witness.out(member, 'cut off')
    const mend =
      how === 'from everything'
        ? await this.unplug(member)
        : await this.cutFromPeers(member, scene.cluster.members)
    return async () => {
      back()
      await mend()
      await scene.untilWhole()
    }
  }

  /** The cable of the member's node is pulled. */
  async unplug(member: LabMember): Promise<() => Promise<void>> {
    const node = this.#nodeOf(member)
    await node.run('ip', 'link', 'set', 'eth0', 'down')
    return () => node.run('ip', 'link', 'set', 'eth0', 'up')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#hub, ...this.#nodes].map(namespace => namespace[Symbol.asyncDispose]()))
  }
}
