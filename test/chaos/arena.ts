import { once } from 'node:events'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Etcd3 } from 'etcd3'
import { archive } from '../lab/archives.js'
import { Cluster, type LabMember, until } from '../lab/cluster.js'
import { fragment } from '../lab/fill.js'
import { Node } from '../lab/node.js'
import { clientAt } from './client.js'
import type { ClusterDraw, RunDraw, Target } from './draw.js'
import { Gateway } from './gateway.js'

const succeeds = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  )

async function release(resources: readonly AsyncDisposable[]): Promise<void> {
  for (const resource of resources) await resource[Symbol.asyncDispose]()
}

/** What a member says of itself; ids as decimal text. */
export type Said = Readonly<{ id: string; leader: string; isLearner: boolean; revision: bigint }>

/** A cluster for some runs in a row: every member behind a TCP proxy, another computer, a place for the backups. */
export class Arena implements AsyncDisposable {
  readonly cluster: Cluster
  readonly otherHost: Node
  readonly backups: string
  /** In it; there is always a good one. */
  readonly backup: string
  /** Whether the next run needs a new one: members were added or removed, or did not come back. */
  isSpent = false
  /** The voters it began with. */
  readonly voters: readonly LabMember[]
  readonly #gateways: readonly Gateway[]
  readonly #gatewayOf = new Map<LabMember, Gateway>()
  readonly #clients = new Map<LabMember, Etcd3>()
  /** The cluster's, in hex. */
  #id = ''

  private constructor(cluster: Cluster, gateways: readonly Gateway[], otherHost: Node) {
    this.cluster = cluster
    this.voters = [...cluster.members]
    this.#gateways = gateways
    this.otherHost = otherHost
    this.#meet()
    this.backups = join(cluster.folder, 'backups')
    this.backup = join(this.backups, 'etcd-backup.xz')
  }

  static async create({ suite, size, learner }: ClusterDraw): Promise<Arena> {
    // The host lock of the other computer is in a /run of its own.
    const otherHost = await Node.create({ '/run/own': '' })
    const gateways = await Promise.all(Array.from({ length: size + 2 }, () => Gateway.listen()))
    const cluster = await Cluster.start({
      suite,
      size,
      tls: false,
      // Members are added in the first seconds of a cluster too.
      flags: ['--strict-reconfig-check=false'],
      advertise: (url, position) => gateways[position]?.before(url) ?? url,
    }).catch(async error => {
      await release([...gateways, otherHost])
      throw error
    })
    const arena = new Arena(cluster, gateways, otherHost)
    try {
      await mkdir(arena.backups)
      await archive(cluster, arena.backup)
      const { header } = await arena.client(arena.voter(0)).maintenance.status()
      arena.#id = BigInt(header.cluster_id).toString(16)
      if (learner) await cluster.addLearner('learner')
      arena.#meet()
      return arena
    } catch (error) {
      await arena[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Proxies are handed out by position, and positions change when a member is removed. */
  #meet(): void {
    for (const [position, member] of this.cluster.members.entries())
      if (!this.#gatewayOf.has(member)) this.#gatewayOf.set(member, this.#gateways[position] as Gateway)
  }

  voter(position: number): LabMember {
    return this.voters[position % this.voters.length] as LabMember
  }

  gatewayOf(member: LabMember): Gateway {
    return this.#gatewayOf.get(member) as Gateway
  }

  async join(as: 'voter' | 'learner' | 'learner, then promote'): Promise<string> {
    this.isSpent = true
    const member = await this.cluster.add('joined', as === 'voter' ? [] : ['--learner'])
    this.#meet()
    if (as === 'learner, then promote') {
      const id = await this.#idOf(member)
      // Refused until it has caught up.
      await until('the learner is promoted', () => succeeds(this.cluster.etcdctl(['member', 'promote', id])))
    }
    return as
  }

  /** False where it is still in the cluster. */
  async remove(member: LabMember): Promise<boolean> {
    this.isSpent = true
    const others = this.cluster.members.filter(other => other !== member)
    const id = await this.#idOf(member, others)
    await succeeds(this.cluster.etcdctl(['member', 'remove', id], others))
    // Refused, it may have happened all the same.
    if ((await this.cluster.etcdctl(['member', 'list'], others)).includes(id)) return false
    this.cluster.members.splice(this.cluster.members.indexOf(member), 1)
    await Promise.race([sleep(2000), member.process && once(member.process, 'exit')]) // it ends by itself
    await this.cluster.kill(member)
    return true
  }

  /** As text: JSON numbers do not hold 64 bits. */
  async #idOf(member: LabMember, among = this.cluster.members): Promise<string> {
    const list = await this.cluster.etcdctl(['member', 'list'], among)
    return (
      list
        .split('\n')
        .find(line => line.includes(member.peerUrl))
        ?.split(',')[0] ?? ''
    )
  }

  client(member: LabMember): Etcd3 {
    const known = this.#clients.get(member)
    if (known !== undefined) return known
    const client = clientAt(member.clientUrl, 1000)
    this.#clients.set(member, client)
    return client
  }

  /** Undefined while it does not answer. */
  async said(member: LabMember): Promise<Said | undefined> {
    try {
      const { header, leader, isLearner } = await this.client(member).maintenance.status()
      return { id: header.member_id, leader, isLearner, revision: BigInt(header.revision) }
    } catch {
      return undefined
    }
  }

  /** Whoever says of itself that it leads; the first to say so counts. */
  async leader(): Promise<LabMember | undefined> {
    const asked = this.cluster.members.map(async member => {
      const said = await this.said(member)
      if (said === undefined || said.id !== said.leader) throw new Error(`${member.name} does not lead`)
      return member
    })
    return Promise.any(asked).catch(() => undefined)
  }

  async find(target: Target, local: LabMember, busy: string | undefined): Promise<LabMember | undefined> {
    switch (target.role) {
      case 'local':
        return local
      case 'any':
        return this.voter(target.nth)
      case 'busy':
        return this.cluster.members.find(member => member.name === busy) ?? local
      case 'leader':
        return this.leader()
      case 'follower': {
        const leader = await this.leader()
        const followers = this.voters.filter(member => member !== leader)
        return followers[target.nth % followers.length]
      }
    }
  }

  /** Moves leadership as any other client would; false where that was refused. */
  async lead(member: LabMember): Promise<boolean> {
    const [leader, said] = await Promise.all([this.leader(), this.said(member)])
    if (leader === undefined || said === undefined) return false
    if (leader === member) return true
    return succeeds(this.client(leader).maintenance.moveLeader({ targetID: said.id }))
  }

  /** Fills the databases with what a defragmentation gives back, and hands leadership to whom the draw says. */
  async prepare({ megabytes, leader }: RunDraw): Promise<void> {
    await this.#forget()
    await fragment(this.cluster, megabytes)
    await until(`${this.voter(leader).name} leads`, async () => {
      await this.lead(this.voter(leader))
      return (await this.leader()) === this.voter(leader)
    })
  }

  /** What earlier runs left in etcd, a lock after SIGKILL for one: the draw of a run knows nothing of them. */
  async #forget(): Promise<void> {
    // Not at a learner, which refuses it and which etcdctl 3.4 may happen to ask.
    const etcdctl = (...args: string[]) => this.cluster.etcdctl(args, this.voters)
    const lines = (await etcdctl('lease', 'list')).split('\n')
    for (const lease of lines.filter(line => /^[0-9a-f]{8,}$/.test(line)))
      await etcdctl('lease', 'revoke', lease)
    await etcdctl('del', '--prefix', '/etcd-defrag/')
  }

  /** Waits until every member serves. */
  async healed(): Promise<void> {
    for (const member of this.cluster.members) {
      if (member.process === undefined) await this.cluster.restart(member)
      // A learner calls itself unhealthy, for it serves no linearizable read.
      if ((await this.said(member))?.isLearner !== true) await this.cluster.serving(member)
    }
    await until('all follow one leader', async () => {
      const all = await Promise.all(this.cluster.members.map(member => this.said(member)))
      return (
        new Set(all.map(said => said?.leader)).size === 1 && all[0] !== undefined && all[0].leader !== '0'
      )
    })
  }

  /** Takes away what only the next run would. */
  async tidy(): Promise<void> {
    for (const name of await readdir(this.backups))
      if (/\.(spool|partial|provenance)$/.test(name)) await rm(join(this.backups, name))
    await rm(`/run/etcd-defrag/${this.#id}.lock`, { force: true })
  }

  /** From the runs' side of the gateways. */
  flags(member: LabMember): readonly string[] {
    return ['--endpoints', this.gatewayOf(member).before(member.clientUrl)]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.close()
    await release([...this.#gateways, this.otherHost, this.cluster])
  }
}
