import { createHash } from 'node:crypto'
import { type Coordination, type LastRun, nothingRemembered } from '../../src/model/coordination.js'
import { Failure } from '../../src/model/fault.js'
import type { ClusterView, Member, MemberId, MemberView } from '../../src/model/member.js'
import type { Etcd, SnapshotStream, World } from '../../src/model/world.js'
import { smallDatabase } from '../lab/boltFile.js'
import { mulberry32 } from '../lab/random.js'
import { metrics, unreachable } from './views.js'

const content = smallDatabase({ bytes: 1, revision: 5 })
const trailer = createHash('sha256').update(content).digest()

/** How unkind the simulated world is; probabilities from 0 to 1. */
export type Scenario = Readonly<{
  voters: number
  learners: number
  /** An election, a death, a recovery or a lost connection before a look. */
  churn: number
  /** A Defragment outlasts its deadline, loses its connection or is refused. */
  defragmentFaults: number
  /** A MoveLeader times out, with or without effect, or leadership comes back at once. */
  moveFaults: number
  snapshotFaults: number
  /** A step begins after the lock in etcd was lost, or is refused it from the start. */
  lockFaults: number
  /** A NOSPACE alarm is raised for a member before the run. */
  noSpace: boolean
  seed: number
}>

/** Nothing goes wrong. */
export const calm = { churn: 0, defragmentFaults: 0, moveFaults: 0, snapshotFaults: 0, lockFaults: 0 }

type State = {
  readonly member: Member
  alive: boolean
  /** Cut off from us, not from its peers. */
  hidden: boolean
  /** It defragments, and answers nobody, from then until then. */
  busyFrom: number
  busyUntil: number
  /** Its file is small from then on. */
  smallFrom: number
  lag: bigint
  /** Its file has nothing to give back. */
  readonly isCompact: boolean
  processStart: number
}

/** A made-up cluster that runs on a virtual clock and checks each call against what is true at that instant. */
export class SimulatedCluster implements Etcd {
  now = 1_000_000
  openStreams = 0
  readonly defragmented: MemberId[] = []
  readonly answered: MemberId[] = []
  readonly violations: string[] = []
  snapshots = 0
  /** Of the lock in etcd. */
  locks = 0
  isLockLost = false
  /** Whether the run may touch members while others are out. */
  toleratesOthersOut = false
  readonly records: LastRun[] = []
  readonly disarmed: MemberId[] = []
  readonly #alarmed = new Set<MemberId>()
  #leader: MemberId | undefined
  #term = 2n
  #index = 1000n
  #pullBackTo: MemberId | undefined
  #looks = 0
  readonly #states: State[]
  readonly #scenario: Scenario
  readonly #random: () => number

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#random = mulberry32(scenario.seed)
    this.#states = Array.from({ length: scenario.voters + scenario.learners }, (_, i) => ({
      member: {
        id: (0xa0 + i).toString(16) as MemberId,
        name: `m${i + 1}`,
        peerUrls: [],
        clientUrls: [`http://m${i + 1}:2379`],
        learner: i >= scenario.voters,
      },
      alive: true,
      hidden: false,
      busyFrom: 0,
      busyUntil: 0,
      smallFrom: Number.POSITIVE_INFINITY,
      lag: 0n,
      isCompact: !scenario.noSpace && this.#random() < 0.3,
      processStart: 0,
    }))
    const [first] = this.#states
    if (scenario.noSpace && first !== undefined) this.#alarmed.add(first.member.id)
    this.#elect()
  }

  /** All that a run sees of the world; the lock of the host can be had, unless asked for otherwise. */
  worldWith(rest: Partial<Pick<World, 'lock' | 'tell'>> = {}): World {
    return {
      etcd: this,
      coordination: this.coordination,
      nodePause: async () => undefined,
      host: 'm1',
      tool: 'etcd-defrag 0.0.0',
      now: () => this.now,
      sleep: ms => this.sleep(ms),
      random: this.random,
      exec: () => Promise.reject(new Error('nothing is trimmed here')),
      lock: async () => ({ kind: 'held', lost: new AbortController().signal, release: async () => {} }),
      tell: () => {},
      ...rest,
    }
  }

  /** The lock in etcd, which may not be had, and may be lost. */
  get coordination(): Coordination {
    const { lockFaults } = this.#scenario
    return {
      read: async () => nothingRemembered,
      record: async run => void this.records.push(run),
      pause: async () => {},
      resume: async () => false,
      lock: async () => {
        if (this.#alarmed.size > 0 || this.#random() < lockFaults)
          return { kind: 'none', problem: 'etcdserver: mvcc: database space exceeded', because: 'refused' }
        this.locks += 1
        const lost = new AbortController()
        return {
          kind: 'held',
          lost: lost.signal,
          confirm: async () => {
            // It may take its time, and the world does not stand still meanwhile.
            if (this.#random() < this.#scenario.churn) {
              this.now += Math.floor(this.#random() * 3_000)
              this.#disturb()
            }
            if (this.#random() >= lockFaults) return
            this.isLockLost = true
            lost.abort('the loss of the lock')
          },
          release: async () => {
            this.locks -= 1
            return undefined
          },
        }
      },
    }
  }

  async disarm(member: Member): Promise<void> {
    if (!this.isSmall(member.id))
      this.violations.push(`the alarm of ${member.id} was taken back, and it is large`)
    this.#alarmed.delete(member.id)
    this.disarmed.push(member.id)
  }

  async proveWrite(): Promise<void> {
    if (this.#alarmed.size > 0)
      throw this.#failure('LeaseGrant', this.#at(0), 'database space exceeded', false)
  }

  random = (): number => this.#random()

  /** The first member is the local one; whether it leads is chance, unless asked for. */
  leadByLocal(): void {
    this.#leader = this.#states[0]?.member.id
  }

  get voters(): readonly MemberId[] {
    return this.#states.filter(s => !s.member.learner).map(s => s.member.id)
  }

  isSmall(id: MemberId): boolean {
    return this.#stateOf(id).smallFrom <= this.now
  }

  /** Voters that can be reached now. */
  get reachableVoters(): readonly MemberId[] {
    return this.#states.filter(s => !s.member.learner && this.#answers(s)).map(s => s.member.id)
  }

  async sleep(ms: number): Promise<void> {
    this.now += ms
  }

  async observe(signal: AbortSignal): Promise<ClusterView> {
    signal.throwIfAborted()
    this.now += 5
    this.#looks += 1
    if (this.#looks > 20_000) throw new Error('the run does not end')
    this.#disturb()
    const members = this.#states.map(s => this.#seen(s.member))
    return { clusterId: 'c', local: this.#states[0]?.member.id, members }
  }

  async probe(member: Member): Promise<MemberView> {
    return this.#seen(member)
  }

  #seen(member: Member): MemberView {
    const state = this.#stateOf(member.id)
    if (!this.#answers(state)) return unreachable(member)
    const leader = this.#hasQuorum() ? this.#leader : undefined
    return {
      kind: 'reachable',
      member,
      // In a bad moment they are not to be had.
      metrics:
        this.#random() < this.#scenario.churn
          ? { kind: 'unknown', because: 'no answer' }
          : metrics({ quota: 50, processStart: state.processStart }),
      endpoint: member.clientUrls[0] ?? '',
      read: member.learner
        ? { kind: 'notAsked', because: 'a learner' }
        : leader === undefined
          ? { kind: 'failed', problem: 'no leader', asksForUser: false }
          : { kind: 'served', tookMs: 1 },
      status: {
        version: '3.5.16',
        dbSize: this.isSmall(member.id) && !state.isCompact ? 10 : 100,
        dbSizeInUse: state.isCompact ? 95 : 10,
        quota: undefined,
        leader,
        raftTerm: this.#term,
        raftIndex: this.#index,
        raftAppliedIndex: this.#index - state.lag,
        alarms: [...this.#alarmed].map(alarmed => ({ member: alarmed, kind: 'NOSPACE' })),
        errors: [],
      },
    }
  }

  async defragment(member: Member): Promise<void> {
    const state = this.#stateOf(member.id)
    this.#judge(state)
    this.defragmented.push(member.id)
    const takes = 50 + Math.floor(this.#random() * 2_000)
    if (this.#random() >= this.#scenario.defragmentFaults) {
      this.now += takes
      this.answered.push(member.id)
      state.smallFrom = this.now
      if (this.#random() < 0.2) state.lag = 5_000n // behind, and catches up later
      return
    }
    const fault = Math.floor(this.#random() * 5)
    if (fault === 0) throw this.#failure('Defragment', member, 'etcdserver: permission denied', false)
    if (fault === 1) {
      // It crashes in the middle of it, and comes back as large as it was.
      state.busyFrom = this.now
      state.busyUntil = this.now + Math.floor(this.#random() * 20_000)
      throw this.#failure('Defragment', member, 'read ECONNRESET', true, false)
    }
    if (fault === 4) {
      // Given up on, and the process ends in the middle of it: what comes back is another one with the file as it was.
      this.now += takes
      state.busyFrom = this.now
      state.busyUntil = this.now + Math.floor(this.#random() * 20_000)
      state.processStart = state.busyUntil
      throw this.#failure('Defragment', member, 'no answer within 600 s', true)
    }
    // The call is over for us, the member goes on: past its deadline, or with a lost connection, where it may
    // also begin a moment later.
    const timedOut = fault === 2
    this.now += timedOut ? takes : 1
    state.busyFrom = this.now + (timedOut ? 0 : Math.floor(this.#random() * 500))
    state.busyUntil = state.busyFrom + Math.floor(this.#random() * 20_000)
    state.smallFrom = state.busyUntil
    throw this.#failure(
      'Defragment',
      member,
      timedOut ? 'no answer within 600 s' : 'read ECONNRESET',
      true,
      timedOut,
    )
  }

  async moveLeader(from: Member, to: MemberId): Promise<void> {
    const target = this.#stateOf(to)
    if (from.id !== this.#leader)
      this.violations.push(`MoveLeader was sent to ${from.id}, ${this.#leader} leads`)
    if (!this.isSmall(to)) this.violations.push(`${to} was not defragmented before it was to lead`)
    if (target.member.learner || !this.#answers(target)) this.violations.push(`${to} is no member to lead`)
    const chance = this.#random()
    const { moveFaults } = this.#scenario
    if (chance < moveFaults / 3) {
      this.now += 5_000
      throw this.#failure('MoveLeader', from, 'no answer within 5 s', true)
    }
    const former = this.#leader
    this.#leader = to
    this.#term += 1n
    this.now += 100
    if (chance < (moveFaults * 2) / 3) throw this.#failure('MoveLeader', from, 'no answer within 5 s', true)
    if (chance < moveFaults) this.#pullBackTo = former
  }

  async snapshot(from: Member): Promise<SnapshotStream> {
    this.snapshots += 1
    if (from.id !== this.#states[0]?.member.id)
      this.violations.push('the backup was not taken from the local member')
    this.openStreams += 1
    let open = true
    const breaksOff = this.#random() < this.#scenario.snapshotFaults
    const failure = this.#failure('Snapshot', from, 'the stream broke off', false)
    return {
      origin: { revision: 1, etcdVersion: '3.5.30', storageVersion: null },
      blobs: (async function* () {
        yield content
        if (breaksOff) throw failure
        yield trailer
      })(),
      close: () => {
        if (open) this.openStreams -= 1
        open = false
      },
    }
  }

  close(): void {}

  /** What must hold at the instant of a Defragment, from the cluster's own side. */
  #judge(target: State): void {
    const { id } = target.member
    const fail = (text: string) => this.violations.push(`Defragment of ${id}: ${text}`)
    if (this.defragmented.includes(id)) fail('sent twice')
    if (this.isLockLost) fail('the lock was lost before')
    if (this.snapshots > 0) fail('the backup is behind it already')
    const out = this.#states.find(s => s !== target && !this.#answers(s))
    if (out !== undefined && !this.toleratesOthersOut) fail(`${out.member.id} is out, and nothing was forced`)
    if (target.member.learner) fail('a learner')
    if (this.voters.length > 1 && this.#hasQuorum() && this.#leader === id)
      fail('it leads a cluster that can move leadership')
    for (const touched of this.defragmented
      .filter(other => other !== id)
      .map(other => this.#stateOf(other))) {
      if (!this.#answers(touched) || touched.busyFrom > this.now)
        fail(`${touched.member.id}, touched before, is still out`)
      if (this.#hasQuorum() && touched.lag > 1_000n)
        fail(`${touched.member.id}, touched before, has not caught up`)
    }
  }

  #disturb(): void {
    for (const state of this.#states) if (state.lag > 0n && this.#random() < 0.5) state.lag = 0n
    if (this.#pullBackTo !== undefined) {
      this.#leader = this.#pullBackTo
      this.#pullBackTo = undefined
      this.#term += 1n
    }
    if (this.#random() < this.#scenario.churn) {
      const state = this.#states[Math.floor(this.#random() * this.#states.length)]
      const what = Math.floor(this.#random() * 4)
      if (state !== undefined && what === 0) state.alive = !state.alive
      if (state !== undefined && what === 1) state.hidden = !state.hidden
      if (what >= 2) this.#elect()
    }
    // Raft goes on in a member that defragments; a dead leader is replaced.
    if (this.#leader === undefined || !this.#stateOf(this.#leader).alive) this.#elect()
  }

  #elect(): void {
    const able = this.#states.filter(s => !s.member.learner && s.alive)
    // For a while there may be none although a quorum lives.
    const isDecided = this.#hasQuorum() && this.#random() < 0.7
    this.#leader = isDecided ? able[Math.floor(this.#random() * able.length)]?.member.id : undefined
    this.#term += 1n
  }

  #hasQuorum(): boolean {
    const voters = this.#states.filter(s => !s.member.learner)
    return voters.filter(s => s.alive).length > voters.length / 2
  }

  #answers(state: State): boolean {
    return state.alive && !state.hidden && !(state.busyFrom <= this.now && this.now < state.busyUntil)
  }

  #at(position: number): Member {
    const state = this.#states[position]
    if (state === undefined) throw new Error(`no member at ${position}`)
    return state.member
  }

  #stateOf(id: MemberId): State {
    const state = this.#states.find(s => s.member.id === id)
    if (state === undefined) throw new Error(`no member ${id}`)
    return state
  }

  #failure(
    call: string,
    { id }: Member,
    problem: string,
    mayHaveRun: boolean,
    timedOut = mayHaveRun,
  ): Failure {
    return new Failure({ kind: 'etcd', call, member: id, problem, mayHaveRun, timedOut })
  }
}
