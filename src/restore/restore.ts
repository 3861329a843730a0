import { hostname } from 'node:os'
import { join } from 'node:path'
import { readProvenance } from '../backup/provenance.js'
import type { Provenance, Verified } from '../model/backup.js'
import { describe, Failure, faultOf } from '../model/fault.js'
import { complaintOf, runToEnd, wrapper } from './child.js'
import { refuseWhileHeld } from './held.js'
import {
  type Identity,
  identityOf,
  refuseOddToken,
  restoreArguments,
  tokenOf,
  type Wishes,
} from './identity.js'
import { inspectArchive, refuseMissing, refuseUnhashed } from './inspect.js'
import { findProgram, type Program } from './program.js'
import { shellLine } from './shell.js'
import { HalfSwapped, inspectTarget, type Swapped, settle, swapIn, type Target } from './swap.js'
import { unpack } from './unpack.js'
import { refuseWithoutRoom, WorkFolder } from './workFolder.js'

export type RestoreRequest = Readonly<{
  file: string
  dataDir: string
  wishes: Wishes
  /** Where this node's etcd has its data. */
  dataDirs: readonly string[]
  /** A program of etcd's that restores; else one is looked for. */
  etcdutl: string | undefined
  /** Revisions to move forward by; 0 for none. */
  bump: number
  /** Takes a file that ends without etcd's SHA-256. */
  forceNoHash: boolean
  now(): number
  signal: AbortSignal
  tell(phase: string): void
}>

export type RestoreResult = Swapped &
  Readonly<{
    identity: Identity
    token: string
    program: Program
    verified: Verified
    provenance: Provenance | undefined
    target: Target
    tookMs: Readonly<{ verify: number; unpack: number; restore: number }>
  }>

/**
 * Puts a member's data directory made from the archive in the place of `dataDir`, whose old data is kept beside it.
 * Throws `Failure`; then, and when `signal` aborts it, `dataDir` is as it was, but for `HalfSwapped`, which says where
 * the old data is.
 */
export async function restore(request: RestoreRequest): Promise<RestoreResult> {
  const { file, dataDir, wishes, bump, signal, now, tell } = request
  // What costs nothing comes first: reading a large archive takes its time.
  await refuseMissing(file)
  refuseOddToken(wishes)
  const target = await inspectTarget(dataDir)
  identityOf(wishes, await readProvenance(file), hostname()) // throws where a flag is missing
  await refuseWhileHeld(dataDir, signal)

  tell(`verifying ${file}`)
  const begun = now()
  await using inspected = await inspectArchive(file, { signal })
  const { verified, provenance } = inspected
  const identity = identityOf(wishes, provenance, hostname())
  const verifiedAt = now()
  refuseUnhashed(verified, request.forceNoHash)
  const token = tokenOf(wishes, verified.content.sha256)
  const more = { token, bump, skipHash: !verified.hasTrailer }
  const program = await restorerFor(request, provenance, [
    'SNAPSHOT.db',
    ...restoreArguments(identity, { ...more, dataDir: `${dataDir}.new` }),
  ])
  await refuseWithoutRoom(target.parent, verified.content.bytes, `--data-dir ${dataDir}`)

  try {
    await using work = await WorkFolder.create(target.parent, 'restore')
    tell(`decompressing into ${work.path}`)
    await unpack(inspected, join(work.inside, SNAPSHOT), signal)
    const unpackedAt = now()
    tell(`restoring with ${program.path} (${program.name} ${program.version})`)
    const fresh = join(work.inside, DATA)
    await runRestorer(program, work, restoreArguments(identity, { ...more, dataDir: DATA }), signal)
    await settle(target.kind === 'mount' ? join(fresh, 'member') : fresh, target)
    await refuseWhileHeld(dataDir, signal) // somebody may have started etcd meanwhile
    signal.throwIfAborted() // from here on it takes two renames
    const swapped = await swapIn(fresh, target, new Date(now()))
    const warnings = [...target.notes, ...swapped.warnings, ...(await removed(work))]
    const tookMs = {
      verify: verifiedAt - begun,
      unpack: unpackedAt - verifiedAt,
      restore: now() - unpackedAt,
    }
    return { ...swapped, warnings, identity, token, program, verified, provenance, target, tookMs }
  } catch (error) {
    throw signal.aborted ? error : failureOf(error, dataDir)
  }
}

function restorerFor(
  { etcdutl, bump, dataDirs, signal }: RestoreRequest,
  provenance: Provenance | undefined,
  command: readonly string[],
): Promise<Program> {
  const dataVersion = provenance?.member.etcdVersion
  const need = { dataVersion, bump: bump > 0 }
  const search = { names: ['etcdutl', 'etcdctl'] as const, option: '--etcdutl', need, dataDirs, signal }
  return findProgram(etcdutl, search, whereToGet('etcdutl', dataVersion, command))
}

/** What to do on a node that has no program of etcd's. */
export function whereToGet(
  name: 'etcdutl' | 'etcd',
  version: string | undefined,
  command?: readonly string[],
): string {
  const release = version === undefined ? "the version of the cluster's etcd" : `v${version}`
  const packages = name === 'etcd' ? 'etcd-server' : 'etcd-client (etcdctl) or etcd-server (etcdutl)'
  const would =
    command === undefined
      ? ''
      : `; it would have run: ${shellLine(['etcdutl', 'snapshot', 'restore', ...command])}`
  return `Get it from Debian's packages ${packages}, from the release archive of ${release} at https://github.com/etcd-io/etcd/releases, or on a kubeadm node from etcd's image (crictl images | grep etcd; ctr -n k8s.io images mount IMAGE /mnt, then /mnt/usr/local/bin/${name}), and name it with --${name} FILE${would}`
}

/** The data is in place by then, so that what is left of us is no failure. */
const removed = (work: WorkFolder): Promise<readonly string[]> =>
  work.remove().then(
    () => [],
    error => [`${work.path} could not be removed (${error.code ?? error}); it holds a copy of the data`],
  )

/** In the work folder, where what restores works too. */
export const SNAPSHOT = 'snapshot.db'
export const DATA = 'data'

/** Makes a data directory of the snapshot. Throws a `restore` fault with what the program said last. */
export async function runRestorer(
  program: Program,
  work: WorkFolder,
  args: readonly string[],
  signal: AbortSignal,
  gentle = false,
): Promise<void> {
  const command = [...(await wrapper({ gentle })), program.path, 'snapshot', 'restore', SNAPSHOT, ...args]
  const { exitCode, stderr, stdout } = await runToEnd(command, { signal, cwd: work.inside })
  if (exitCode === 0) return
  const problem = `${program.path} ended with ${exitCode ?? 'a signal'}: ${complaintOf(`${stdout}\n${stderr}`)}`
  throw new Failure({ kind: 'restore', problem })
}

function failureOf(thrown: unknown, dataDir: string): Failure {
  if (thrown instanceof HalfSwapped || (thrown instanceof Failure && thrown.fault.kind !== 'restore'))
    return thrown
  const { code } = thrown as NodeJS.ErrnoException
  const what =
    thrown instanceof Failure ? describe(thrown.fault) : code === undefined ? undefined : String(thrown)
  if (what === undefined) return new Failure(faultOf(thrown), thrown)
  return new Failure({ kind: 'restore', problem: `${what}; ${dataDir} is as it was` }, thrown)
}
