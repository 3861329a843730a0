import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { type BackupRequest, backUp } from '../../src/backup/backUp.js'
import { Failure, type Fault } from '../../src/model/fault.js'
import type { ClusterView, Member, MemberId, MemberStatus, Reachable } from '../../src/model/member.js'
import type { RunReport } from '../../src/model/report.js'
import type { Retention } from '../../src/model/retention.js'
import type { BackupResult, Outcome, Step, StepKind, StepOf, StepRecord } from '../../src/model/step.js'
import type { Phase } from '../../src/model/world.js'
import { smallDatabase } from '../lab/boltFile.js'

/** Runs a program to its end; rejects unless it ends with 0. */
export const execute = promisify(execFile)

/** Root's programs too, wherever the tests are started from. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }

/** A folder that is gone with its scope. */
export async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'etcd-defrag-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** What stands in a folder: of files mode and content, of anything else what it is. */
export async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder)
  const lines = entries.sort().map(async name => {
    const { mode, ino } = await lstat(join(folder, name))
    const isFile = (mode & 0o170000) === 0o100000
    return [name, `${mode.toString(8)} ${isFile ? sha256(await readFile(join(folder, name))) : ino}`] as const
  })
  return Object.fromEntries(await Promise.all(lines))
}

/** Bytes that look random and are the same for the same seed. */
export const noise = (length: number, seed = 1): Buffer =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, `${seed} `), Buffer.alloc(16)).update(Buffer.alloc(length))

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** What etcd sends for a database: its bytes and their SHA-256. */
export const snapshotOf = (database: Buffer): Buffer =>
  Buffer.concat([database, Buffer.from(sha256(database), 'hex')])

/** `bytes` in pieces of the given sizes, taken over and over. */
export function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? bytes.length
    yield bytes.subarray(at, at + size)
    at += size
  }
}

export type Told = Readonly<{ phase: Phase; bytes: number; of: number | undefined }>
export type Attempt = Readonly<
  { told: readonly Told[]; opened: number } & (
    | ({ kind: 'done' } & Awaited<ReturnType<typeof backUp>>)
    | { kind: 'failed'; error: unknown }
  )
>

export const newestOnly: Retention = { keep: 1, daily: 0, weekly: 0 }
const origin = { revision: 1, etcdVersion: '3.5.30', storageVersion: null }
const about: BackupRequest['about'] = {
  tool: 'etcd-defrag 0.0.0',
  host: 'node-1',
  cluster: { id: 'cdf818194e3a8c32', members: [] },
  member: { id: '1' as MemberId, name: 'm1' },
}

/**
 * Backs `blobs` up to `path`. What must hold however it ends is looked at here: a stream that was opened is
 * closed once, progress never goes backwards and its phases come in order.
 */
export async function attempt(
  path: string,
  blobs: Iterable<Buffer> | AsyncIterable<Buffer>,
  given: Partial<BackupRequest> = {},
): Promise<Attempt> {
  const told: Told[] = []
  let [opened, closed] = [0, 0]
  const request: BackupRequest = {
    path,
    expectedBytes: 0,
    retention: newestOnly,
    about,
    open: async () => {
      opened += 1
      const stream = (async function* () {
        yield* blobs
      })()
      const close = () => {
        closed += 1
      }
      return { blobs: stream, origin, close }
    },
    now: () => 0,
    signal: new AbortController().signal,
    ...given,
    tell: (phase, bytes, of) => {
      told.push({ phase, bytes, of })
      given.tell?.(phase, bytes, of)
    },
  }
  const ended = await backUp(request).then(
    value => ({ kind: 'done', ...value }) as const,
    error => ({ kind: 'failed', error }) as const,
  )
  assert.equal(closed, opened, 'a stream is closed exactly once')
  const order: readonly Phase[] = ['snapshot', 'compress', 'verify']
  for (const [i, { phase, bytes }] of told.entries()) {
    const previous = told[i - 1]
    const turns = order.indexOf(phase) - order.indexOf(previous?.phase ?? 'snapshot')
    assert.ok(turns >= 0, `${phase} comes after ${previous?.phase}`)
    assert.ok(bytes >= (turns === 0 ? (previous?.bytes ?? 0) : 0), `${phase} went back to ${bytes}`)
  }
  return { ...ended, told, opened }
}

/** A folder with the archive of an earlier day in it. */
export async function withPrevious() {
  const { path: folder, ...disposable } = await temporary()
  const path = join(folder, 'etcd.xz')
  const yesterday = await attempt(path, [snapshotOf(smallDatabase({ repeats: true }))])
  assert.equal(yesterday.kind, 'done')
  return { ...disposable, folder, path, before: await contents(folder) }
}

export const decoded = async (path: string): Promise<Buffer> =>
  (await execute('xz', ['-dc', path], { encoding: 'buffer', maxBuffer: 2 ** 30 })).stdout

export function problemOf(ended: Attempt): string {
  assert.equal(ended.kind, 'failed')
  assert.ok(ended.error instanceof Failure, String(ended.error))
  assert.equal(ended.error.fault.kind, 'backup')
  return ended.error.message
}

/** What may happen to a snapshot on its way; shares are of its length. */
export type Damage =
  | { kind: 'none' | 'isEmpty' | 'hasAnotherTrailer' }
  | { kind: 'breaks' | 'ends' | 'flips'; share: number }
  | { kind: 'grows'; by: number }

export function* damaged(
  sent: Buffer,
  sizes: readonly number[],
  what: Damage,
  lost: Error,
): Generator<Buffer> {
  const at = 'share' in what ? Math.floor(what.share * sent.length) : 0
  switch (what.kind) {
    case 'none':
      return yield* pieces(sent, sizes)
    case 'isEmpty':
      return
    case 'hasAnotherTrailer':
      return yield* pieces(Buffer.concat([sent.subarray(0, -32), noise(32, 2)]), sizes)
    case 'grows':
      return yield* pieces(Buffer.concat([sent, noise(what.by)]), sizes)
    case 'ends':
      return yield* pieces(sent.subarray(0, at), sizes)
    case 'breaks':
      yield* pieces(sent.subarray(0, at), sizes)
      throw lost
    case 'flips': {
      const flipped = Buffer.from(sent)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at)
      return yield* pieces(flipped, sizes)
    }
  }
}

/** Why this machine lets the tests mount nothing; false when it does. */
export function mountsRefused(): string | false {
  const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /tmp'], { env })
  return status === 0 ? false : `needs the right to mount: ${String(stderr ?? 'no unshare').trim()}`
}

/** A process that lives in a mount namespace of its own; what is mounted there is gone with it, or with us. */
export type Elsewhere = AsyncDisposable & Readonly<{ pid: number; see(path: string): string }>

/** Runs a shell script in a namespace of its own, `$1` being `folder`, and keeps the namespace until disposal. */
export async function elsewhere(script: string, folder: string): Promise<Elsewhere> {
  const shell = `${script}\necho ready\nread -r _ || cd /` // until our end of the pipe closes
  const child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', shell, 'sh', folder], {
    env,
  })
  const ended = once(child, 'close')
  const complaints = text(child.stderr)
  await Promise.race([once(child.stdout, 'data'), ended])
  const dispose = async () => {
    child.stdin.end()
    await ended
  }
  const { pid } = child
  if (child.exitCode !== null || pid === undefined) throw new Error(`${script}: ${await complaints}`)
  return { pid, see: path => `/proc/${pid}/root${path}`, [Symbol.asyncDispose]: dispose }
}

const MIB = 1 << 20

export const member = (id: string, more: Partial<Member> = {}): Member => ({
  id: id as MemberId,
  name: `m${id}`,
  peerUrls: [`http://${id}:2380`],
  clientUrls: [`http://${id}:2379`],
  learner: false,
  ...more,
})

/** A member that answers and is well: it follows member `1` and has applied all. */
export const reachable = (of: Member, status: Partial<MemberStatus> = {}): Reachable => ({
  kind: 'reachable',
  member: of,
  endpoint: of.clientUrls[0] ?? '',
  status: {
    version: '3.5.30',
    dbSize: 8 * MIB,
    dbSizeInUse: 2 * MIB,
    quota: undefined,
    leader: '1' as MemberId,
    raftTerm: 2n,
    raftIndex: 100n,
    raftAppliedIndex: 100n,
    alarms: [],
    errors: [],
    ...status,
  },
  read: { kind: 'served', tookMs: 3 },
  metrics: noMetrics,
})

export const [m1, m2, m3, learner] = [
  member('1'),
  member('2'),
  member('3'),
  member('4', { learner: true, name: '' }),
]
export const sizes = {
  before: { dbSize: 8 * MIB, dbSizeInUse: 2 * MIB },
  after: { dbSize: 2 * MIB, dbSizeInUse: 2 * MIB },
}
export const timedOut: Fault = {
  kind: 'etcd',
  call: 'Defragment',
  member: m3.id,
  problem: 'no answer within 600 s',
  mayHaveRun: true,
  timedOut: true,
}
export const refused: Fault = {
  kind: 'etcd',
  call: 'MoveLeader',
  member: m1.id,
  problem: 'not leader',
  mayHaveRun: false,
  timedOut: false,
}
export const noSpace: Fault = { kind: 'backup', path: '/b.xz', problem: 'no space left' }
export const backup: BackupResult = {
  ...{ path: '/b.xz', snapshotBytes: 2 * MIB, archiveBytes: MIB / 4, sha256: 'ab'.repeat(32), spooled: true },
  ...{ archiveSha256: 'cd'.repeat(32), revision: 7, totalKeys: 9 },
  ...{ snapshotMs: 1, compressMs: 2, verifyMs: 3 },
}

export const defragment = (of: Member): StepOf<'defragment'> => ({
  kind: 'defragment',
  member: of,
  size: { dbSize: 8 * MIB, dbSizeInUse: 2 * MIB },
  processStart: undefined,
  stall: { ms: 600, basis: 'assumed' },
  proof: 'linearizableRead',
})
export const stall = { ms: 600, basis: 'assumed' } as const
export const move: StepOf<'moveLeader'> = { kind: 'moveLeader', from: m1, candidates: [m2, m3] }
export const snapshot: StepOf<'snapshot'> = {
  kind: 'snapshot',
  from: m1,
  path: '/b.xz',
  retention: newestOnly,
}
export const trim: StepOf<'trim'> = { kind: 'trim', path: '/var/lib/etcd' }

export const record = <K extends StepKind>(step: Step & { kind: K }, outcome: Outcome<K>) =>
  ({ kind: step.kind, step, because: 'so', startedAt: 1000, tookMs: 1500, outcome }) as unknown as StepRecord
export const done = <R>(result: R) => ({ kind: 'done', result, warnings: [] }) as const

export const steps: readonly StepRecord[] = [
  record(defragment(m2), done(sizes)),
  record(defragment(m3), { kind: 'unanswered', fault: timedOut }),
  record(move, { kind: 'failed', fault: refused, transferee: m3.id }),
  record(move, done({ to: m2 })),
  record(defragment(m1), done({ ...sizes, after: undefined })),
  record(snapshot, done(backup)),
  record(snapshot, { kind: 'failed', fault: noSpace }),
  record(trim, done({ bytes: 92484608, said: '/var/lib/etcd: 88.2 MiB (92484608 bytes) trimmed' })),
  record(trim, { kind: 'warned', problem: 'trim of /var/lib/etcd: not supported' }),
]
const noMetrics = { kind: 'unknown', because: 'nobody asked' } as const
export const view: ClusterView = {
  clusterId: 'cdf818194e3a8c32',
  local: m1.id,
  members: [
    reachable(m1),
    reachable(m2, { raftAppliedIndex: 93n, alarms: [{ member: m2.id, kind: 'NOSPACE' }], errors: ['slow'] }),
    {
      kind: 'unreachable',
      member: m3,
      problem: 'http://3:2379: no connection within 2000 ms',
      metrics: noMetrics,
    },
    { ...reachable(learner), read: { kind: 'notAsked', because: 'a learner' } },
  ],
}
export const alone = { member: m3.id, name: 'm3', because: 'cannot be reached', isLearner: false }
/** A run in which steps came to every end they may have. */
export const report: RunReport = {
  ...{ startedAt: 0, endedAt: 65_000, verdict: { kind: 'completed' }, steps, before: undefined, after: view },
  ...{ leftAlone: [alone], warnings: ['mind the gap'] },
}
