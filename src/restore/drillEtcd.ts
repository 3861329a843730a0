import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../model/fault.js'
import { StoreReader } from '../system/etcd/storeReader.js'
import { complaintOf, ENVIRONMENT, runToEnd, wrapper } from './child.js'
import type { Program } from './program.js'

/** How long etcd may take to open a database: a minute, and another for each GiB. */
const startTimeout = (bytes: number): number => 60_000 * (1 + bytes / 2 ** 30)
const STOP_TIMEOUT_MS = 10_000

/**
 * An etcd that serves to nobody but us. The restored store holds every Secret, so it listens on no port at all: its
 * sockets lie in a folder that only we can enter. 3.4 takes such URLs only in the form of host and port, and makes of
 * them a name in its working folder (etcd: client/pkg/transport/unix_listener.go).
 */
export class DrillEtcd implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #over: Promise<unknown>

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
    this.#over = once(child, 'exit').catch(() => {}) // it could not be started: it has no exit code either
  }

  /** A socket's path may have no more than 107 bytes (unix(7)); this one is always short. */
  get socket(): string {
    return `/proc/${this.#child.pid}/cwd/client:1`
  }

  /** Starts it in `folder`, whose `data` it takes, and resolves once it serves. Throws a `restore` fault otherwise. */
  static async start(
    program: Program,
    folder: string,
    bytes: number,
    signal: AbortSignal,
  ): Promise<DrillEtcd> {
    const [etcd = '', ...args] = [
      ...(await wrapper({ gentle: true })),
      program.path,
      '--name=drill',
      '--data-dir=data',
      '--listen-client-urls=unix://client:1',
      '--advertise-client-urls=unix://client:1',
      '--listen-peer-urls=unix://peer:1',
      '--initial-advertise-peer-urls=unix://peer:1',
      '--initial-cluster=drill=unix://peer:1',
      '--logger=zap',
      '--log-outputs=stderr',
      '--auto-compaction-retention=0',
      // A full source is full here too, and it only reads; but it must open what is there.
      `--quota-backend-bytes=${Math.max(8 * 2 ** 30, 2 * bytes)}`,
      ...(await quietFlags(program, signal)),
    ]
    signal.throwIfAborted()
    const log = openSync(join(folder, 'etcd.log'), 'ax', 0o600)
    const child = spawn(etcd, args, {
      cwd: folder,
      env: { ...ENVIRONMENT, ETCD_UNSUPPORTED_ARCH: 'arm64' }, // which 3.4 asks for there, and nowhere else
      stdio: ['ignore', 'ignore', log],
      detached: true, // Ctrl-C in a terminal is for us, and we end it
    })
    closeSync(log)
    const server = new DrillEtcd(child, folder)
    try {
      await server.#serving(Date.now() + startTimeout(bytes), signal)
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  async #serving(deadline: number, signal: AbortSignal): Promise<void> {
    const reader = new StoreReader(this.socket)
    try {
      while (!(await reader.isServing())) {
        signal.throwIfAborted()
        if (this.#isOver) throw await this.#failed('etcd ended instead of serving the restored data')
        if (Date.now() > deadline) throw await this.#failed('etcd does not come to serve the restored data')
        await sleep(100)
      }
    } finally {
      reader.close()
    }
  }

  get #isOver(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #failed(what: string): Promise<Failure> {
    const log = await readFile(join(this.#folder, 'etcd.log'), 'utf8').catch(() => '')
    const problem = `the drill failed: ${what}; its log says last: ${complaintOf(log)}`
    return new Failure({ kind: 'restore', problem })
  }

  /** proc_pid_status(5): VmHWM, in KiB. */
  async peakMemory(): Promise<number | undefined> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8').catch(() => '')
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
    return kib === undefined ? undefined : Number(kib) * 1024
  }

  /** As systemd would: asks, waits, and kills at last. */
  async stop(): Promise<void> {
    if (this.#isOver) return
    this.#child.kill('SIGTERM')
    const patience = new AbortController()
    const late = sleep(STOP_TIMEOUT_MS, 'late', { signal: patience.signal }).catch(() => 'over')
    if ((await Promise.race([this.#over, late])) === 'late') this.#child.kill('SIGKILL')
    patience.abort()
    await this.#over
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return
    this.#child.kill('SIGKILL') // nothing of it is kept
    await this.#over
  }
}

/** Its writes need not reach the disk, which others use; 3.5 and later can be told so. */
async function quietFlags(program: Program, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout, stderr } = await runToEnd([program.path, '--help'], { signal })
  return `${stdout}${stderr}`.includes('--unsafe-no-fsync') ? ['--unsafe-no-fsync'] : []
}
