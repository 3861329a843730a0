import assert from 'node:assert/strict'
import { join } from 'node:path'
import { archive } from './archives.js'
import { Cluster, type LabMember, type LabOptions } from './cluster.js'
import { type CommandOptions, documentOf, type Ended, etcdDefrag, type Running, start } from './command.js'
import { fragment } from './fill.js'
import type { Leniency } from './judge.js'
import { Witness } from './witness.js'

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

  static async set({ megabytes = 20, ...lab }: LabOptions & { megabytes?: number } = {}): Promise<Scene> {
    const cluster = await Cluster.start(lab)
    try {
      const backupPath = join(cluster.folder, 'etcd-backup.xz')
      await archive(cluster, backupPath)
      await fragment(cluster, megabytes)
      const witness = await Witness.of(cluster, { backupPath })
      return new Scene(cluster, witness, await cluster.leader(), backupPath)
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The job, with waits that suit a test. */
  job(more: readonly string[] = [], local = this.leader): readonly string[] {
    const waits = ['--command-timeout', '1s', '--settle-timeout', '20s']
    const output = ['--no-trim', '--backup-path', this.backupPath, '--output', 'json']
    return [...this.cluster.flags(local), ...output, ...waits, ...more]
  }

  start(more: readonly string[] = [], options?: CommandOptions): Running {
    const running = start(this.job(more), options)
    this.#runs.push(running.ended)
    return running
  }

  /** Runs the job to its end on the node that leads now, and gives its report. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests look at
  async run(more: readonly string[] = []): Promise<any> {
    const ended = etcdDefrag(this.job(more, await this.cluster.leader()))
    this.#runs.push(ended)
    return documentOf(await ended)
  }

  /** The member whose step the run told of last. */
  at(running: Running): LabMember {
    const name = [...running.stderr().matchAll(/"event":"stepStarted".*?"name":"([^"]+)"/g)].at(-1)?.[1]
    const member = this.cluster.members.find(m => m.name === name)
    assert.ok(member, `no member ${name}:\n${running.stderr()}`)
    return member
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

/** Matches the event of the nth step of a kind. */
export const begins = (step: string): RegExp => new RegExp(`"event":"stepStarted","step":"${step}"`)
export const ends = (step: string, outcome = 'done', nth = 1): RegExp =>
  new RegExp(
    Array.from(
      { length: nth },
      () => `"event":"stepEnded","step":"${step}"[^\\n]*"outcome":"${outcome}"`,
    ).join('[^]*'),
  )

export const stepsOf = (report: { steps: { step: string; outcome: string }[] }): readonly string[] =>
  report.steps.map(({ step, outcome }) => `${step} ${outcome}`)
