import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type Archive, FileWatch, inspect } from './archives.js'
import type { Cluster, LabMember } from './cluster.js'
import type { Ended } from './command.js'
import { type Leniency, violations } from './judge.js'
import { leasesOf, remainsOf, type WitnessOptions } from './remains.js'
import {
  defragmentationsOf,
  type Incident,
  idIn,
  incidentsOf,
  leaderAt,
  type Outage,
  untilServing,
} from './timeline.js'
import { type Told, toldBy } from './told.js'

/**
 * Watches a cluster from etcd's side and judges whether the five invariants (ARCHITECTURE.md, "What must always hold")
 * held in runs of etcd-defrag, one after another. Members are stopped and killed through it, so that it knows.
 */
export class Witness implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #since = Date.now()
  readonly #outages: (Outage & { until: number })[] = []
  readonly #watch: FileWatch | undefined
  readonly #options: WitnessOptions
  readonly #leases: ReadonlySet<string>
  /** Removed ones too: their logs still tell. */
  readonly #members = new Set<LabMember>()

  private constructor(
    cluster: Cluster,
    options: WitnessOptions,
    watch: FileWatch | undefined,
    leases: ReadonlySet<string>,
  ) {
    this.#cluster = cluster
    this.#options = options
    this.#watch = watch
    this.#leases = leases
    this.#meet()
  }

  static async of(cluster: Cluster, options: WitnessOptions = {}): Promise<Witness> {
    const watch = options.backupPath === undefined ? undefined : await FileWatch.of(options.backupPath)
    return new Witness(cluster, options, watch, await leasesOf(cluster, options))
  }

  #meet(): void {
    for (const member of this.#cluster.members) this.#members.add(member)
  }

  /** Notes that a member cannot do its part from now on; the returned function notes its return. */
  out(member: LabMember, how: Outage['how']): () => void {
    const outage = { member: member.name, how, from: Date.now(), until: Number.POSITIVE_INFINITY }
    this.#outages.push(outage)
    return () => {
      outage.until = Date.now()
    }
  }

  /** SIGSTOP; the returned function is SIGCONT. */
  stop(member: LabMember): () => void {
    const { process } = member
    const back = this.out(member, 'stopped')
    process?.kill('SIGSTOP')
    return () => {
      back()
      process?.kill('SIGCONT')
    }
  }

  async kill(member: LabMember): Promise<void> {
    const from = Date.now()
    for (const outage of this.#outages.filter(o => o.member === member.name)) // dead, it is stopped no more
      outage.until = Math.min(outage.until, from)
    this.out(member, 'killed')
    await this.#cluster.kill(member)
  }

  async restart(member: LabMember): Promise<void> {
    await this.#cluster.restart(member)
  }

  /** What the members logged and the test did since the witness came, oldest first. */
  async incidents(): Promise<readonly Incident[]> {
    this.#meet()
    const logs = await Promise.all(
      [...this.#members].map(async ({ name, log }) => [name, await readFile(log, 'utf8')] as const),
    )
    const nameOf = new Map(logs.map(([name, log]) => [idIn(log), name]))
    return logs
      .flatMap(([name, log]) => incidentsOf(name, log))
      .map(i => (i.what === 'isRemoved' ? { ...i, member: nameOf.get(i.member) ?? i.member } : i))
      .toSorted((a, b) => a.at - b.at)
  }

  /** Who leads now by the members' logs, which tell of stopped and unreachable ones too. */
  async leader(): Promise<string | undefined> {
    return leaderAt(await this.incidents(), this.#outages, Date.now())?.member
  }

  /** Throws an AssertionError that lists every violation. All members are to be up by then. */
  async judge(ended: readonly Ended[], leniency: Leniency = {}): Promise<void> {
    const runs = ended.map(toldBy).toSorted((a, b) => a.startedAt - b.startedAt)
    const incidents = await this.incidents()
    // Who led before the witness came still matters, what was defragmented then does not.
    const recent = [
      ...incidents.filter(i => i.at >= this.#since || !i.what.startsWith('defragment')),
      ...(await this.#sizes()),
    ]
    const found = [
      ...violations({ incidents: recent, outages: this.#outages, runs }, leniency),
      ...(await this.#miscounts(incidents)),
      ...(await this.#archiveFlaws(runs)),
      ...(await remainsOf(this.#cluster, this.#options, runs, [...this.#members], this.#leases)),
    ]
    const said = ended.map(e => `exit code ${e.code ?? e.signal}\n${e.stdout}\n${e.stderr}`).join('\n')
    assert.ok(found.length === 0, `${found.length} violations:\n- ${found.join('\n- ')}\n\n${said}`)
  }

  async #sizes(): Promise<readonly Incident[]> {
    const up = this.#cluster.members.filter(m => m.process !== undefined)
    const sizes = await Promise.all(
      up.map(async member => {
        const dbSize = await this.#cluster.metric(member, 'etcd_mvcc_db_total_size_in_bytes')
        return { at: Date.now(), member: member.name, what: 'holds', dbSize } as const
      }),
    )
    return sizes.filter(({ dbSize }) => dbSize > 0) // a metric that is not there counts 0
  }

  /** The log is the witness; etcd's own counters must agree with it. */
  async #miscounts(incidents: readonly Incident[]): Promise<readonly string[]> {
    const outages = this.#outages.map(outage => untilServing(outage, incidents))
    const work = defragmentationsOf(incidents, outages)
    const found: string[] = []
    for (const member of this.#cluster.members.filter(m => m.process !== undefined)) {
      const own = incidents.filter(i => i.member === member.name)
      const born = own.findLast(i => i.what === 'processStarts')?.at ?? 0
      const logged = work.filter(w => w.member === member.name && w.from >= born)
      const finished = logged.filter(w => w.end === 'finished').length
      const counted = await this.#cluster.defragmentations(member)
      if (counted !== finished)
        found.push(`${member.name} counts ${counted} defragmentations and logged ${finished}`)
      const inflight = await this.#cluster.metric(member, 'etcd_disk_defrag_inflight')
      if (inflight !== logged.filter(w => w.end === 'open').length)
        found.push(`${member.name} has ${inflight} defragmentations in flight`)
    }
    return found
  }

  /** Every content the file has had must be a whole archive, not older than the one before, and told of by a run. */
  async #archiveFlaws(runs: readonly Told[]): Promise<readonly string[]> {
    const { backupPath } = this.#options
    if (this.#watch === undefined || backupPath === undefined) return []
    await this.#watch.look()
    const [found, archives]: [string[], Archive[]] = [[], []]
    for (const at of this.#watch.missing.filter(when => when > this.#since))
      found.push(`there was no backup at ${new Date(at).toISOString()}`)
    const isNew = ({ seenAt }: { seenAt: number }) => seenAt > this.#since
    const told = runs.flatMap(run =>
      run.steps.flatMap(step => (step.archive === undefined ? [] : [step.archive])),
    )
    for (const version of this.#watch.versions) {
      const archive = await inspect(version.copy, this.#cluster.suite).catch(error => String(error))
      if (typeof archive === 'string') {
        // What the test put there before need not be an archive, only stay.
        if (isNew(version)) found.push(`the backup is no whole archive: ${archive}`)
        continue
      }
      const before = archives.at(-1)
      if (before !== undefined && archive.revision < before.revision)
        found.push(`the backup went back from revision ${before.revision} to ${archive.revision}`)
      archives.push(archive)
      const isTold = told.some(a => a.sha256 === archive.sha256 && a.archiveBytes === archive.bytes)
      // A run killed right after it put the archive in place could not tell of it.
      if (isNew(version) && !isTold && !runs.some(run => run.killed))
        found.push(`a backup of revision ${archive.revision} appeared that no run tells of`)
    }
    const [last, lastTold] = [archives.at(-1), told.at(-1)]
    if (lastTold !== undefined && last?.sha256 !== lastTold.sha256 && !runs.some(run => run.killed))
      found.push(`the run tells of a backup ${lastTold.sha256}, and there is ${last?.sha256}`)
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]()
  }
}
