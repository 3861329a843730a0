import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabMember } from '../lab/cluster.js'
import type { Running } from '../lab/command.js'
import type { Arena } from './arena.js'
import type { DueFault, Fault, FaultKind } from './draw.js'

/** What a fault can get hold of. */
export type Scene = Readonly<{
  arena: Arena
  local: LabMember
  /** All runs so far; the first is the one that instants refer to. */
  runs: readonly Running[]
  /** Starts one more run, at the member's node. */
  startRun(member: LabMember, host: 'same' | 'other'): void
  /** Tells the judge that a member is out; the returned function that it is back. */
  out(member: LabMember, how: 'stopped' | 'killed'): () => void
  /** Aborted when the runs are over: every fault is to be undone. */
  over: AbortSignal
}>

/** Does it and undoes it; resolves to what it came to, in words. */
type Injector<K extends FaultKind> = (fault: Extract<Fault, { kind: K }>, scene: Scene) => Promise<string>

/** Waits for the fault's instant and injects it. */
export async function inject(fault: DueFault, scene: Scene): Promise<string> {
  const [first] = scene.runs
  const { step, ms } = fault.at
  const steps = new RegExp(`(?:"event":"stepStarted"[^]*?){${step}}`)
  const isReached = await (first?.said(steps) ?? Promise.resolve()).then(
    () => pause(ms, scene),
    () => false,
  )
  return isReached ? act(fault.kind, fault, scene) : 'not reached'
}

// Fault and injector come from the same row, which the compiler cannot follow.
const act = <K extends FaultKind>(kind: K, fault: Fault, scene: Scene): Promise<string> =>
  injectors[kind](fault as Extract<Fault, { kind: K }>, scene)

/** Waits that long; false when the runs were over before. */
const pause = (ms: number, { over }: Scene): Promise<boolean> =>
  sleep(ms, undefined, { signal: over }).then(
    () => true,
    () => false,
  )

const targetOf = ({ target }: Extract<Fault, { target: unknown }>, { arena, local, runs }: Scene) =>
  arena.find(target, local, busy(runs))

/** The member that the latest step is about. */
function busy(runs: readonly Running[]): string | undefined {
  const said = runs.map(run => run.stderr()).join('\n')
  const last = said.split('\n').findLast(line => line.includes('"event":"stepStarted"')) ?? ''
  return /"(?:member|from)":\{"id":"[0-9a-f]+","name":"(\w+)"/.exec(last)?.[1]
}

const nobody = 'nobody is in that part'

const injectors: { readonly [K in FaultKind]: Injector<K> } = {
  async freeze(fault, scene) {
    const member = await targetOf(fault, scene)
    const process = member?.process
    if (member === undefined || process === undefined) return nobody
    const back = scene.out(member, 'stopped')
    process.kill('SIGSTOP')
    // Whoever kills it meanwhile starts it again too.
    await Promise.race([pause(fault.forMs, scene), once(process, 'exit')])
    process.kill('SIGCONT')
    back()
    return member.name
  },

  async kill(fault, scene) {
    const { arena } = scene
    const member = await targetOf(fault, scene)
    if (member?.process === undefined) return nobody
    const back = scene.out(member, 'killed')
    await arena.cluster.kill(member)
    await pause(fault.forMs, scene)
    if (arena.cluster.members.includes(member)) await arena.cluster.restart(member)
    back()
    return member.name
  },

  async moveLeader({ to }, { arena, local, runs }) {
    const member = await arena.find(to, local, busy(runs))
    if (member === undefined) return nobody
    return `${member.name}${(await arena.lead(member)) ? '' : ', refused'}`
  },

  async pullBack({ times, everyMs }, scene) {
    const { arena, local } = scene
    let moves = 0
    for (let i = 0; i < times; i++) {
      if ((await arena.leader()) !== local && (await arena.lead(local))) moves += 1
      if (!(await pause(everyMs, scene))) break
    }
    return `${local.name} ${moves} times`
  },

  addLearner: ({ promote }, { arena }) => arena.join(promote ? 'learner, then promote' : 'learner'),

  addMember: (_, { arena }) => arena.join('voter'),

  async removeMember(fault, scene) {
    const member = await targetOf(fault, scene)
    if (member === undefined) return nobody
    return `${member.name}${(await scene.arena.remove(member)) ? '' : ', refused'}`
  },

  async signal({ signal }, { runs }) {
    runs[0]?.kill(signal)
    return signal
  },

  async killAndRunAgain(_, { runs, local, startRun }) {
    runs[0]?.kill('SIGKILL')
    startRun(local, 'same')
    return local.name
  },

  async pauseRun({ forMs }, scene) {
    const [first] = scene.runs
    first?.kill('SIGSTOP')
    await sleep(forMs) // whatever else is over, this run is not
    first?.kill('SIGCONT')
    return ''
  },

  async secondRun({ from, otherHost }, { arena, local, runs, startRun }) {
    const member = (await arena.find(from, local, busy(runs))) ?? local
    startRun(member, otherHost ? 'other' : 'same')
    return `at ${member.name}${otherHost ? ', another host' : ''}`
  },

  async network(fault, scene) {
    const member = await targetOf(fault, scene)
    if (member === undefined) return nobody
    const gateway = scene.arena.gatewayOf(member)
    if (fault.how === 'cut') gateway.cut()
    else if (fault.how === 'silence') gateway.silence()
    else gateway.delay(fault.delayMs)
    await pause(fault.how === 'cut' ? 0 : fault.forMs, scene)
    gateway.heal()
    return member.name
  },
}
