import assert from 'node:assert/strict'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Archive, FileWatch, inspect } from './archives.js'
import { type Cluster, type LabMember, until } from './cluster.js'
import type { Ended } from './command.js'
import { type Leniency, violations } from './judge.js'
import { defragmentationsOf, type Incident, incidentsOf, type Outage, untilServing } from './timeline.js'
import { type Told, toldBy } from './told.js'

export type WitnessOptions = Readonly<{
  /** Where the runs put their backup; what is there already counts as the last good one. */
  backupPath?: string
  /** More flags for etcdctl, where authentication is on. */
  etcdctl?: readonly string[]
}>

/** What a later feature may leave under /etcd-defrag/. */
const ownKeys = ['/etcd-defrag/last-run', '/etcd-defrag/pause']

/**
 * Watches a cluster from etcd's side and judges whether the five invariants (ARCHITECTURE.md, "What must always hold")
 * held in runs of etcd-defrag, one after another. Members are stopped and killed through it, so that it knows.
 */
export class Witness implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #since = Date.now()
  readonly #outages: Outage[] = []
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
      [...this.#members].map(async m => incidentsOf(m.name, await readFile(m.log, 'utf8'))),
    )
    return logs.flat().toSorted((a, b) => a.at - b.at)
  }

  /** Throws an AssertionError that lists every violation. All members are to be up by then. */
  async judge(ended: readonly Ended[], leniency: Leniency = {}): Promise<void> {
    const runs = ended.map(toldBy).toSorted((a, b) => a.startedAt - b.startedAt)
    const incidents = await this.incidents()
    // Who led before the witness came still matters, what was defragmented then does not.
    const recent = incidents.filter(i => i.at >= this.#since || !i.what.startsWith('defragment'))
    const found = [
      ...violations({ incidents: recent, outages: this.#outages, runs }, leniency),
      ...(await this.#miscounts(incidents)),
      ...(await this.#archiveFlaws(runs)),
      ...(await this.#remains(runs)),
    ]
    const said = ended.map(e => `exit code ${e.code ?? e.signal}\n${e.stdout}\n${e.stderr}`).join('\n')
    assert.ok(found.length === 0, `${found.length} violations:\n- ${found.join('\n- ')}\n\n${said}`)
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

  async #remains(runs: readonly Told[]): Promise<readonly string[]> {
    const clusterId = await clusterIdOf(this.#cluster, this.#options)
    const lockFile = `/run/etcd-defrag.${clusterId}.lock`
    const lastKilled = runs.findLastIndex(run => run.killed)
    // What a SIGKILL leaves behind, the next run that comes as far tidies up.
    const isTidy = runs.slice(lastKilled + 1).some(({ report }) => report?.verdict === 'completed')
    const files = lastKilled < 0 || isTidy ? await this.#leftFiles(lockFile) : []
    const processes = await until('the processes of the run are gone', async () => {
      return (await this.#processesOn(lockFile)).length === 0
    }).then(
      () => [],
      () => this.#processesOn(lockFile),
    )
    return [
      ...files.map(file => `${file} is left`),
      ...processes.map(process => `a process is left: ${process}`),
      ...(await this.#leftKeys()),
    ]
  }

  async #leftFiles(lockFile: string): Promise<readonly string[]> {
    const { backupPath } = this.#options
    const lock = (await readdir(dirname(lockFile))).filter(name => name === basename(lockFile))
    const temporary =
      backupPath === undefined
        ? []
        : (await readdir(dirname(backupPath))).filter(
            name => name.startsWith(`.${basename(backupPath)}.`) && /\.(spool|partial)$/.test(name),
          )
    return [...lock, ...temporary]
  }

  /** Whoever has the lock's file open, or was started with a path of this cluster. */
  async #processesOn(lockFile: string): Promise<readonly string[]> {
    const known = new Set([String(process.pid), ...[...this.#members].map(m => String(m.process?.pid))])
    const ids = (await readdir('/proc')).filter(id => /^\d+$/.test(id) && !known.has(id))
    const found = await Promise.all(
      ids.map(async id => {
        const line = (await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
        const open = await readdir(`/proc/${id}/fd`).catch(() => []) // it has ended meanwhile
        const files = await Promise.all(open.map(fd => readlink(`/proc/${id}/fd/${fd}`).catch(() => '')))
        const isOurs =
          files.some(file => file.startsWith(lockFile)) ||
          line.includes(lockFile) ||
          line.includes(this.#cluster.folder)
        return isOurs ? [`${id} ${line}`] : []
      }),
    )
    return found.flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]()
  }

  async #leftKeys(): Promise<readonly string[]> {
    const { etcdctl = [] } = this.#options
    const get = ['get', '/etcd-defrag/', '--prefix', '--keys-only']
    const keys = (await this.#cluster.etcdctl([...etcdctl, ...get])).split('\n').filter(key => key !== '')
    const leases = await leasesOf(this.#cluster, this.#options)
    return [
      ...keys.filter(key => !ownKeys.includes(key)).map(key => `the key ${key} is left`),
      ...[...leases].filter(lease => !this.#leases.has(lease)).map(lease => `the lease ${lease} is left`),
    ]
  }
}

async function leasesOf(cluster: Cluster, { etcdctl = [] }: WitnessOptions): Promise<ReadonlySet<string>> {
  const lines = (await cluster.etcdctl([...etcdctl, 'lease', 'list'])).split('\n')
  return new Set(lines.filter(line => /^[0-9a-f]{8,}$/.test(line)))
}

/** In hex; as text, since JSON numbers do not hold 64 bits. */
async function clusterIdOf(cluster: Cluster, { etcdctl = [] }: WitnessOptions): Promise<string> {
  const status = await cluster.etcdctl([...etcdctl, 'endpoint', 'status', '-w', 'json'])
  return BigInt(/"cluster_id":(\d+)/.exec(status)?.[1] ?? 0).toString(16)
}
