import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Authority } from './certificates.js'
import { jsonLine } from './timeline.js'

const run = promisify(execFile)
const cache = process.env['ETCD_LAB'] ?? join(homedir(), '.cache/etcd-defrag-lab')

/** The Debian releases whose etcd the lab has: 3.4, 3.5, and whatever comes next. */
export const suites = ['bookworm', 'trixie', 'forky'] as const
export type Suite = (typeof suites)[number]
export const programOf = (suite: Suite, name: 'etcd' | 'etcdctl' | 'etcdutl'): string =>
  join(cache, `etcd-${suite}`, 'usr/bin', name)

export type LabOptions = Readonly<{
  suite?: Suite
  size?: number
  tls?: boolean
  /** Data directories to use instead of ones in the cluster's own folder, by position. */
  dataDirs?: readonly (string | undefined)[]
  flags?: readonly string[]
  host?: '127.0.0.1' | '[::1]'
  /** Where each member runs, by position, and from where the lab looks at them; on this machine as it is otherwise. */
  places?: Readonly<{ members: readonly Place[]; lab: Place['through'] }>
  /** Called once the members have their addresses and before they start, to put data into their directories. */
  before?: (members: readonly LabMember[]) => Promise<void>
  /** The client URLs a member tells the others, made from its real one. */
  advertise?: (clientUrl: string, position: number) => string
  serverNames?: Readonly<{ dns: readonly string[]; ip: readonly string[] }>
}>

/** An address, and the program with its arguments that starts another one there. */
export type Place = Readonly<{ host: string; through: readonly string[] }>

export type LabMember = {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly metricsUrl: string
  readonly dataDir: string
  readonly log: string
  readonly args: readonly string[]
  /** The program and arguments that a command is started with to run on the member's node. */
  readonly through: readonly string[]
  process: ChildProcess | undefined
}

/** What `etcdctl endpoint status -w json` says of one endpoint. */
export type EndpointStatus = Readonly<{
  Endpoint: string
  Status: Readonly<{
    header: Readonly<{ member_id: number; revision: number; raft_term: number }>
    version: string
    dbSize: number
    dbSizeInUse: number
    /** Left out where there is none. */
    leader?: number
    raftIndex: number
  }>
}>

export type LoggedEvent = Readonly<{ at: number; member: string; what: 'defragment' | 'leads' }>

/** A real cluster of processes on loopback in a temporary folder; disposing of it leaves nothing. */
export class Cluster implements AsyncDisposable {
  readonly folder: string
  readonly suite: Suite
  readonly members: LabMember[] = []
  readonly client: Readonly<{ ca: string; cert: string; key: string }> | undefined
  readonly #options: LabOptions

  private constructor(folder: string, options: LabOptions, client: Cluster['client']) {
    this.folder = folder
    this.suite = options.suite ?? 'trixie'
    this.client = client
    this.#options = options
  }

  /** Starts all members and waits until each serves; once more where another program was faster at a port. */
  static async start(options: LabOptions = {}): Promise<Cluster> {
    return Cluster.#start(options).catch(error => {
      if (/address already in use/.test(String(error))) return Cluster.#start(options)
      throw error
    })
  }

  static async #start(options: LabOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-lab-'))
    let client: Cluster['client']
    if (options.tls ?? true) {
      const authority = await Authority.create(join(folder, 'pki'))
      await authority.issue('server', options.serverNames === undefined ? {} : { names: options.serverNames })
      // Members know each other by address, whatever names their clients have for them.
      await authority.issue('peer')
      client = { ca: authority.file, ...(await authority.issue('client', { usages: ['clientAuth'] })) }
    }
    const cluster = new Cluster(folder, options, client)
    try {
      const size = options.size ?? 3
      for (let i = 0; i < size; i++)
        cluster.members.push(await cluster.#plan(`m${i + 1}`, i, options.dataDirs?.[i]))
      await options.before?.(cluster.members)
      const initial = cluster.members.map(m => `${m.name}=${m.peerUrl}`).join(',')
      for (const member of cluster.members)
        cluster.#spawn(member, [`--initial-cluster=${initial}`, '--initial-cluster-state=new'])
      for (const member of cluster.members) await cluster.serving(member)
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  async #plan(name: string, position: number, dataDir = join(this.folder, name)): Promise<LabMember> {
    const { flags = [], advertise = (url: string) => url, places } = this.#options
    const { host = '127.0.0.1' } = places?.members[position] ?? this.#options
    const [client, peer, metrics] = await freePorts(3)
    const scheme = this.client === undefined ? 'http' : 'https'
    const clientUrl = `${scheme}://${host}:${client}`
    const peerUrl = `${scheme}://${host}:${peer}`
    const metricsUrl = `http://${host}:${metrics}`
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const pki = join(this.folder, 'pki')
    const tls = [
      ...['cert-file', 'key-file'].map(
        flag => `--${flag}=${pki}/server.${flag === 'cert-file' ? 'crt' : 'key'}`,
      ),
      ...['peer-cert-file', 'peer-key-file'].map(
        flag => `--${flag}=${pki}/peer.${flag === 'peer-cert-file' ? 'crt' : 'key'}`,
      ),
      `--trusted-ca-file=${pki}/ca.crt`,
      `--peer-trusted-ca-file=${pki}/ca.crt`,
      '--client-cert-auth',
      '--peer-client-cert-auth',
    ]
    const args = [
      `--name=${name}`,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${advertise(clientUrl, position)}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--listen-metrics-urls=${metricsUrl}`,
      '--logger=zap',
      ...(this.client === undefined ? [] : tls),
      ...flags,
    ]
    return {
      name,
      clientUrl,
      peerUrl,
      metricsUrl,
      dataDir,
      log: join(this.folder, `${name}.log`),
      args,
      through: places?.members[position]?.through ?? [],
      process: undefined,
    }
  }

  /** The kernel ends it with us, however we end. */
  #spawn(member: LabMember, more: readonly string[] = []): void {
    const log = openSync(member.log, 'a')
    const etcd = [...member.through, programOf(this.suite, 'etcd'), ...member.args, ...more]
    const args = ['--pdeathsig', 'KILL', '--', ...etcd]
    member.process = spawn('setpriv', args, {
      stdio: ['ignore', log, log],
      detached: true, // Ctrl-C in a terminal is for the run, not for what it runs on
      env: { PATH: process.env['PATH'], ETCD_UNSUPPORTED_ARCH: process.arch },
    })
    closeSync(log)
  }

  /** Waits until the member's own health endpoint answers that it serves. */
  async serving(member: LabMember): Promise<void> {
    try {
      await until(`${member.name} serves`, async () => {
        if (member.process?.exitCode !== null) throw new Error(`${member.name} ended`)
        const health = await this.#read(`${member.metricsUrl}/health?exclude=NOSPACE`).catch(() => '')
        return jsonLine(health)['health'] === 'true'
      })
    } catch (error) {
      throw new Error(`${error}:\n${(await readFile(member.log, 'utf8')).slice(-2000)}`)
    }
  }

  /** Starts a stopped member again on its data, with more flags if need be. */
  async restart(member: LabMember, flags: readonly string[] = []): Promise<void> {
    this.#spawn(member, flags)
    await this.serving(member)
  }

  async kill(member: LabMember, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = member.process
    member.process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** Adds a learner to the running cluster (3.4 and later). */
  addLearner(name: string): Promise<LabMember> {
    return this.add(name, ['--learner'])
  }

  /** Adds a member to the running cluster and starts it. */
  async add(name: string, flags: readonly string[] = []): Promise<LabMember> {
    const member = await this.#plan(name, this.members.length)
    const initial = [...this.members, member].map(m => `${m.name}=${m.peerUrl}`).join(',')
    // etcd adds no member until its peers have been connected for 5 s (etcd: server.go, HealthInterval).
    await until(`member ${name} can be added`, () =>
      this.etcdctl(['member', 'add', name, ...flags, `--peer-urls=${member.peerUrl}`]).then(
        () => true,
        () =>
          this.etcdctl(['member', 'list']).then(
            list => list.includes(member.peerUrl),
            () => false,
          ),
      ),
    )
    this.members.push(member)
    const start = () =>
      this.#spawn(member, [`--initial-cluster=${initial}`, '--initial-cluster-state=existing'])
    start()
    await until(`member ${name} has started`, async () => {
      // It ends where the member that it asks first has not heard of it yet.
      if (member.process?.exitCode !== null) start()
      return (await this.etcdctl(['member', 'list'])).includes(`, started, ${name},`)
    })
    return member
  }

  /** Runs etcdctl against the given members, all by default, and gives what it prints. */
  async etcdctl(args: readonly string[], members: readonly LabMember[] = this.members): Promise<string> {
    const tls =
      this.client === undefined
        ? []
        : [`--cacert=${this.client.ca}`, `--cert=${this.client.cert}`, `--key=${this.client.key}`]
    const endpoints = `--endpoints=${members.map(m => m.clientUrl).join(',')}`
    const env = { ...process.env, ETCDCTL_API: '3' }
    const [program = '', ...rest] = [
      ...this.#lab,
      programOf(this.suite, 'etcdctl'),
      endpoints,
      ...tls,
      ...args,
    ]
    return (await run(program, rest, { env, maxBuffer: 1 << 26 })).stdout
  }

  get #lab(): Place['through'] {
    return this.#options.places?.lab ?? []
  }

  async #read(url: string): Promise<string> {
    const [program, ...through] = this.#lab
    if (program === undefined) return (await fetch(url)).text()
    const script = 'process.stdout.write(await (await fetch(process.argv[1])).text())'
    const node = [process.execPath, '--input-type=module', '-e', script, url]
    return (await run(program, [...through, ...node], { maxBuffer: 1 << 26 })).stdout
  }

  async status(members: readonly LabMember[] = this.members): Promise<EndpointStatus[]> {
    return JSON.parse(await this.etcdctl(['endpoint', 'status', '-w', 'json'], members)) as EndpointStatus[]
  }

  /** The member that leads, as etcd's own client sees it. */
  async leader(members: readonly LabMember[] = this.members): Promise<LabMember> {
    const statuses = await this.status(members)
    const leading = statuses.find(s => s.Status.leader === s.Status.header.member_id)
    const leader = members.find(m => m.clientUrl === leading?.Endpoint)
    if (leader === undefined) throw new Error('no member leads')
    return leader
  }

  /** Makes a member lead, with etcd's own client. */
  async moveLeader(to: LabMember): Promise<void> {
    // As text: JSON numbers do not hold 64 bits.
    const list = await this.etcdctl(['member', 'list'])
    const id = new RegExp(`^([0-9a-f]+), started, ${to.name},`, 'm').exec(list)?.[1] ?? ''
    await this.etcdctl(['move-leader', id], [await this.leader()])
  }

  async followers(): Promise<readonly LabMember[]> {
    const leader = await this.leader()
    return this.members.filter(m => m !== leader)
  }

  /** The flags with which etcd-defrag reaches this cluster from the given member's node. */
  flags(local: LabMember): readonly string[] {
    const tls =
      this.client === undefined
        ? []
        : ['--cacert', this.client.ca, '--cert', this.client.cert, '--key', this.client.key]
    return ['--endpoints', local.clientUrl, ...tls]
  }

  /** One number of the member's own metrics; 0 while there is none. */
  async metric(member: LabMember, name: string): Promise<number> {
    const text = await this.#read(`${member.metricsUrl}/metrics`)
    const line = text.split('\n').find(l => l.startsWith(`${name} `) || l.startsWith(`${name}{`))
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1))
  }

  /** How often the member was defragmented, by its own count. */
  defragmentations(member: LabMember): Promise<number> {
    return this.metric(member, 'etcd_disk_backend_defrag_duration_seconds_count')
  }

  /** What the members logged of defragmentations and elections, in order: the witness of what a run did. */
  async history(since = 0): Promise<readonly LoggedEvent[]> {
    const entries = await Promise.all(
      this.members.map(async member =>
        (await readFile(member.log, 'utf8')).split('\n').flatMap((line): LoggedEvent[] => {
          const { ts, msg = '' } = jsonLine(line)
          const at = Date.parse(String(ts))
          if (!(at >= since)) return []
          if (/^(starting defragment|defragmenting)$/.test(msg))
            return [{ at, member: member.name, what: 'defragment' }]
          if (/became leader at term/.test(msg)) return [{ at, member: member.name, what: 'leads' }]
          return []
        }),
      ),
    )
    return entries.flat().sort((a, b) => a.at - b.at)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map(member => this.kill(member)))
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Asks again and again until it is so, for a minute and a half at most: a busy machine takes its time. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 90_000
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`in a minute and a half not: ${what}`)
    await sleep(50)
  }
}

/**
 * Ports that are free now, below those that the kernel gives to outgoing connections (ip(7),
 * ip_local_port_range), so that none of them takes one before etcd does.
 */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false, // in use: another one is drawn
    )
    if (!isFree) continue
    ports.add(port)
    server.close()
    await once(server, 'close')
  }
  return [...ports]
}
