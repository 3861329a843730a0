import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, programOf } from './lab/cluster.js'
import { built } from './lab/command.js'
import { fragment } from './lab/fill.js'
import { isRoot, LoopDevice } from './lab/loopDevice.js'
import { restore } from './lab/restore.js'

/** `npm run demo`: the whole job on a real cluster of three, from a fragmented start to a proven backup. */

const MEGABYTES = 200
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const stop = new AbortController()
for (const signal of signals) process.on(signal, () => stop.abort(signal))

// A reader that leaves (`| head`) ends the demo as a signal would.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort('a closed output'))

const say = (text: string) => process.stdout.write(`\n# ${text}\n`)

/** Shows a command as one would type it, and runs it with our own terminal. */
async function show(words: string, args: readonly string[]): Promise<void> {
  stop.signal.throwIfAborted()
  process.stdout.write(`\n$ etcd-defrag ${words}\n`)
  // Its members are half a minute old at most, which a run would wait for.
  const env = { ...process.env, ETCD_DEFRAG_MIN_UPTIME: '0s' }
  const [node, ...first] = built
  const child = spawn(node, [...first, ...args], { stdio: 'inherit', env })
  // The signal itself: from a terminal it has come to the child too, and it counts once.
  const end = () => child.kill(signals.find(signal => signal === stop.signal.reason) ?? 'SIGTERM')
  stop.signal.addEventListener('abort', end)
  const [code] = await once(child, 'exit')
  stop.signal.removeEventListener('abort', end)
  stop.signal.throwIfAborted()
  if (code !== 0) throw new Error(`etcd-defrag ${words}: exit code ${code}`)
}

async function demo(): Promise<void> {
  await using stack = new AsyncDisposableStackLike()
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-demo-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))

  const disk = isRoot ? await LoopDevice.create(1024).catch(reason) : 'it takes root'
  if (typeof disk !== 'string') stack.use(disk)
  else say(`left out: the trim of a loop device (${disk})`)
  const dataDir = typeof disk === 'string' ? undefined : join(disk.mountPoint, 'etcd')

  say('Three members with mutual TLS, etcd from a Debian package, on loopback')
  const cluster = stack.use(await Cluster.start({ dataDirs: [dataDir] }))
  stop.signal.throwIfAborted()
  const [local] = cluster.members
  if (local === undefined) throw new Error('no member')

  say(
    `${MEGABYTES} MB of objects written, nine of ten deleted, compacted: the files stay as large as they were`,
  )
  const kept = await abortable(fragment(cluster, MEGABYTES))
  if ((await cluster.leader()) !== local) await cluster.moveLeader(local)

  const flags = cluster.flags(local)
  const archive = join(folder, 'etcd-backup.xz')
  const job = [
    ...flags,
    '--backup-path',
    archive,
    ...(dataDir === undefined ? ['--no-trim'] : ['--data-dir', dataDir]),
  ]
  const before = typeof disk === 'string' ? 0 : await disk.allocated()
  await show('status', ['status', ...flags])
  await show('plan', ['plan', ...job])
  await show('run', ['run', ...job])
  await show('status', ['status', ...flags])
  if (typeof disk !== 'string')
    say(
      `The loop device's backing file: ${mebibytes(before)} before, ${mebibytes(await disk.allocated())} after the trim`,
    )

  say(
    'What is in the backup, and a drill: restored aside, an etcd started on it, read, and all of it removed again',
  )
  await show('backup list', ['backup', 'list', '--backup-path', archive])
  await show('backup show', ['backup', 'show', archive])
  const programs = (['etcd', 'etcdutl'] as const).flatMap(name => [
    `--${name}`,
    programOf(cluster.suite, name),
  ])
  await show('backup drill', ['backup', 'drill', archive, ...programs])

  say("The backup, proven with etcd's own tools: xz -dc, etcdutl snapshot restore, an etcd started on it")
  const restored = await abortable(restore(archive, cluster.suite, '/registry/'))
  const [name, value] = [...kept][0] ?? []
  if (name === undefined || restored.keys.get(name) !== value || restored.keys.size !== kept.size)
    throw new Error('the restored keys are not those that were kept')
  process.stdout.write(`${name} reads ${value?.slice(0, 60)}…\n`)
  process.stdout.write(
    `${restored.keys.size} keys under /registry, each with the value it had, at revision ${restored.status.revision}\n`,
  )
}

/** Gives up waiting when a signal came; what is under way ends with its cluster. */
async function abortable<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {}) // after a signal nobody waits for it
  const aborted = once(stop.signal, 'abort').then(() => {
    throw stop.signal.reason
  })
  aborted.catch(() => {}) // it may come after the end
  stop.signal.throwIfAborted()
  return Promise.race([promise, aborted])
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`
const reason = (error: unknown): string => (error instanceof Error ? error.message.trim() : String(error))

/** AsyncDisposableStack, which Node has from 24 on: undoes in reverse order, whatever fails. */
class AsyncDisposableStackLike implements AsyncDisposable {
  readonly #undo: (() => Promise<void>)[] = []

  use<T extends AsyncDisposable>(resource: T): T {
    this.#undo.push(async () => resource[Symbol.asyncDispose]())
    return resource
  }

  defer(undo: () => Promise<void>): void {
    this.#undo.push(undo)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo.reverse())
      await undo().catch(error => process.stderr.write(`demo: ${error}\n`))
  }
}

try {
  await demo()
  say('Nothing is left of it')
} catch (error) {
  process.stderr.write(
    stop.signal.aborted
      ? `\ndemo: ended by ${stop.signal.reason}, nothing is left of it\n`
      : `demo: ${error}\n`,
  )
  process.exitCode = stop.signal.aborted ? 130 : 1
}
process.exit() // a restore that was given up may still hold a timer
