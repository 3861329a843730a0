import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { archive } from './archives.js'
import { Cluster, type LabMember, type LabOptions, until } from './cluster.js'
import { type CommandOptions, documentOf, type Ended, type Running, start } from './command.js'
import { fragment } from './fill.js'
import type { Leniency } from './judge.js'
import { incidentsOf } from './timeline.js'
import { Witness } from './witness.js'

export type SceneOptions = LabOptions &
  Readonly<{
    megabytes?: number
    keep?: number
    /** What makes the databases large, instead of those two. */
    fill?: (cluster: Cluster) => Promise<unknown>
    /** Where the backup is, instead of the cluster's own folder. */
    backupFolder?: string
  }>

/** A fragmented cluster with a good backup of it from before, the job on its leader's node, and a witness. */
export class Scene implements AsyncDisposable {
  readonly cluster: Cluster
  readonly witness: Witness
  readonly leader: LabMember
  readonly followers: readonly LabMember[]
  readonly backupPath: string
  readonly #runs: Promise<Ended>[] = []

  private constructor(cluster: Cluster, witness: Witness, leader: LabMember, backupPath: string) {
    this.cluster = cluster
    this.witness = witness
    this.leader = leader
    this.followers = cluster.members.filter(m => m !== leader)
    this.backupPath = backupPath
  }

  static async set({
    megabytes = 20,
    keep,
    fill = cluster => fragment(cluster, megabytes, keep),
    backupFolder,
    ...lab
  }: SceneOptions = {}): Promise<Scene> {
    const cluster = await Cluster.start(lab)
    try {
      const backupPath = join(backupFolder ?? cluster.folder, 'etcd-backup.xz')
      await archive(cluster, backupPath)
      await fill(cluster)
      const witness = await Witness.of(cluster, { backupPath })
      return new Scene(cluster, witness, await cluster.leader(), backupPath)
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The job, with waits that suit a test; `more` goes before them. It trims only a data directory it is given. */
  job(more: readonly string[] = [], local = this.leader): readonly string[] {
    const standard = [
      this.cluster.flags(local),
      more.includes('--data-dir') ? [] : ['--no-trim'],
      ['--backup-path', this.backupPath],
      ['--output', 'json'],
      ['--command-timeout', '1s'],
      ['--settle-timeout', '20s'],
    ]
    return [...standard.filter(([flag]) => flag === undefined || !more.includes(flag)).flat(), ...more]
  }

  start(more: readonly string[] = [], options?: CommandOptions, local = this.leader): Running {
    const running = start(this.job(more, local), { through: local.through, ...options })
    this.#runs.push(running.ended)
    return running
  }

  /** On the node of the member that leads now: runs before may have moved leadership. */
  async startOnLeader(more: readonly string[] = []): Promise<Running> {
    const name = await this.witness.leader()
    return this.start(more, undefined, first(this.cluster.members.filter(m => m.name === name)))
  }

  /** Runs the job to its end on the node that leads now, and gives its report. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests look at
  async run(more: readonly string[] = []): Promise<any> {
    return this.reportOf(await this.startOnLeader(more))
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests look at
  async reportOf(running: Running): Promise<any> {
    return documentOf(await running.ended)
  }

  /** The member whose step the run told of last. */
  at(running: Running): LabMember {
    const name = [...running.stderr().matchAll(/"event":"stepStarted".*?"name":"([^"]+)"/g)].at(-1)?.[1]
    const member = this.cluster.members.find(m => m.name === name)
    assert.ok(member, `no member ${name}:\n${running.stderr()}`)
    return member
  }

  /** Stops the member whose defragmentation is the run's first, in the middle of it as its log shows. */
  async stopDefragmenting(running: Running): Promise<Readonly<{ member: LabMember; resume: () => void }>> {
    await running.said(begins('defragment'))
    const member = this.at(running)
    const [, told = ''] =
      /"time":"([^"]+)","event":"stepStarted","step":"defragment"/.exec(running.stderr()) ?? []
    const isAtIt = async () =>
      incidentsOf(member.name, await readFile(member.log, 'utf8')).some(
        i => i.what === 'defragmentStarts' && i.at >= Date.parse(told),
      )
    while (!(await isAtIt())) {
      assert.ok(!running.stderr().includes('"event":"ended"'), running.stderr())
      await sleep(1)
    }
    return { member, resume: this.witness.stop(member) }
  }

  /** After a fault: every member serves linearizable reads again. */
  untilWhole(): Promise<void> {
    return until('every member is healthy', () =>
      this.cluster.etcdctl(['endpoint', 'health']).then(
        () => true,
        () => false,
      ),
    )
  }

  /** All runs of this scene so far. */
  async judge(leniency?: Leniency): Promise<void> {
    await this.witness.judge(await Promise.all(this.#runs), leniency)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.witness[Symbol.asyncDispose]()
    await this.cluster[Symbol.asyncDispose]()
  }
}

/** Enough to copy that a defragmentation lasts some 0.1 s, in which a signal finds it. */
export const slow = { megabytes: 24, keep: 2 }

/** The steps of a whole job on three members, as `stepsOf` gives them. */
export const whole = [
  'defragment done',
  'defragment done',
  'moveLeader done',
  'defragment done',
  'snapshot done',
]
export const withoutBackup = whole.slice(0, -1)

export const first = <T>([one]: readonly T[]): T => one ?? assert.fail('there is none')

/** Matches the event of the nth step of a kind. */
export const begins = (step: string, nth = 1): RegExp =>
  new RegExp(Array.from({ length: nth }, () => `"event":"stepStarted","step":"${step}"`).join('[^]*'))
export const ends = (step: string, outcome = 'done', nth = 1): RegExp =>
  new RegExp(
    Array.from(
      { length: nth },
      () => `"event":"stepEnded","step":"${step}"[^\\n]*"outcome":"${outcome}"`,
    ).join('[^]*'),
  )

export const stepsOf = (report: { steps: { step: string; outcome: string }[] }): readonly string[] =>
  report.steps.map(({ step, outcome }) => `${step} ${outcome}`)
