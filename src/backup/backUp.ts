import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import type { Contents, Provenance } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import type { Retention } from '../model/retention.js'
import type { BackupResult } from '../model/step.js'
import type { Phase, SnapshotStream } from '../model/world.js'
import {
  checkTarget,
  freeBytes,
  OwnFile,
  reserveOf,
  roomToSpool,
  writeGathered,
  writeProblem,
} from './files.js'
import { Inspection } from './inspection.js'
import { putInPlace, tidyUp } from './putInPlace.js'
import { TRAILER } from './trailer.js'
import { compress, decompress } from './xz.js'

export type BackupRequest = Readonly<{
  path: string
  /** The database's size as the member reports it; what decides whether there is room to spool. */
  expectedBytes: number
  retention: Retention
  /** Whose snapshot it is and who takes it, for the provenance. */
  about: Pick<Provenance, 'tool' | 'host' | 'cluster'> &
    Readonly<{ member: Pick<Provenance['member'], 'id' | 'name'> }>
  open(): Promise<SnapshotStream>
  now(): number
  signal: AbortSignal
  tell(phase: Phase, bytes: number, of: number | undefined): void
}>

/**
 * Takes a snapshot and puts it at `path` as .xz with its provenance beside it: received, checked against its own SHA-256,
 * compressed, decoded again, checked again and the database inside walked, synced, and only then swapped in. Throws
 * `Failure` (`backup`, or `etcd` from the stream); then, and when `signal` aborts it, the file that was at `path` is
 * still there and nothing else of ours is.
 */
export async function backUp(
  request: BackupRequest,
): Promise<{ result: BackupResult; warnings: readonly string[] }> {
  const { path } = request
  await checkTarget(path)
  try {
    await tidyUp(path)
    const room = (await freeBytes(dirname(path))) - (await reserveOf(dirname(path)))
    const spooled = room >= roomToSpool(request.expectedBytes)
    await using archive = await OwnFile.create(path, 'partial')
    const takenAt = request.now()
    const received = await (spooled ? viaSpool(request, archive) : asItComes(request, archive))
    const { content, origin, verified } = received
    const { revision } = received.inspection
    if (revision < origin.revision) throw tooOld(path, revision, origin.revision)
    const { member, ...about } = request.about
    const { etcdVersion, storageVersion } = origin
    const provenance: Provenance = {
      format: 1,
      ...about,
      takenAt: new Date(takenAt).toISOString(),
      member: { ...member, etcdVersion, storageVersion },
      revision,
      totalKeys: verified.contents.totalKeys,
      content,
      archive: verified.archive,
    }
    await using beside = await OwnFile.create(path, 'provenance')
    await beside.write(Buffer.from(`${JSON.stringify(provenance, null, 2)}\n`))
    await beside.sync()
    request.signal.throwIfAborted()
    const files = { archive, provenance: beside }
    const said = await putInPlace(path, files, provenance, request.retention)
    return {
      result: {
        path,
        snapshotBytes: content.bytes + TRAILER,
        archiveBytes: verified.archive.bytes,
        sha256: content.sha256,
        archiveSha256: verified.archive.sha256,
        revision,
        totalKeys: verified.contents.totalKeys,
        spooled,
        snapshotMs: received.snapshotMs,
        compressMs: received.compressMs,
        verifyMs: received.verifyMs,
      },
      warnings: [...(spooled ? [] : [tooTight(request, room)]), ...said],
    }
  } catch (error) {
    throw error instanceof Failure || request.signal.aborted ? error : backupFailure(path, error)
  }
}

const tooOld = (path: string, revision: number, reported: number): Failure => {
  const problem = `the snapshot ends at revision ${revision}, and its member had reported ${reported} before: it is incomplete`
  return new Failure({ kind: 'backup', path, problem })
}

const tooTight = ({ path, expectedBytes }: BackupRequest, room: number): string =>
  `backup to ${path}: no room to spool the snapshot there (${Math.max(0, room)} bytes are free beyond the reserve, ${roomToSpool(expectedBytes)} wanted), so it was compressed as it came; the open stream makes the database grow meanwhile`

type Received = Readonly<{
  content: Provenance['content']
  origin: SnapshotStream['origin']
  inspection: Inspection
  verified: Verified
  snapshotMs: number
  compressMs: number
  /** What verifying took beyond compressing. */
  verifyMs: number
}>
type Verified = Readonly<{ archive: Provenance['archive']; contents: Contents }>

/** At line speed to a file, so that etcd's read transaction is short; compressed afterwards, and verified as it is written. */
async function viaSpool(request: BackupRequest, archive: OwnFile): Promise<Received> {
  const { now, path } = request
  await using spool = await OwnFile.create(path, 'spool')
  const snapshotFrom = now()
  const inspection = new Inspection()
  const stream = await request.open()
  await writeGathered(spool, receive(request, stream, inspection))
  const content = inspected(path, inspection)
  const compressFrom = now()
  const broken = new AbortController()
  const either = { ...request, signal: AbortSignal.any([request.signal, broken.signal]) }
  const breakOff = (error: unknown) => {
    broken.abort(error) // the first failure ends the other half, and is the one that is told
    throw broken.signal.reason
  }
  const told = counted(either, 'compress', () => content.bytes + TRAILER, spool.read())
  const compressing = async (): Promise<number> => {
    await archive.fill(write => compress(told, write))
    const doneAt = now()
    await Promise.all([archive.sync(), spool.remove()]) // beside what is left of verifying: either takes its time
    return doneAt
  }
  const verifying = async () => {
    const verified = await verify(either, archive, content, inspection)
    return { verified, verifiedAt: now() }
  }
  const halves = [compressing().catch(breakOff), verifying().catch(breakOff)] as const
  await Promise.allSettled(halves)
  const [verifyFrom, { verified, verifiedAt }] = await Promise.all(halves)
  const snapshotMs = compressFrom - snapshotFrom
  const compressMs = verifyFrom - compressFrom
  const verifyMs = verifiedAt - verifyFrom
  return { content, origin: stream.origin, inspection, verified, snapshotMs, compressMs, verifyMs }
}

async function asItComes(request: BackupRequest, archive: OwnFile): Promise<Received> {
  const { now, path } = request
  const from = now()
  const inspection = new Inspection()
  const stream = await request.open()
  await compress(receive(request, stream, inspection), chunk => archive.write(chunk))
  const content = inspected(path, inspection)
  const verifyFrom = now()
  const tookMs = verifyFrom - from
  const verified = await verify(request, archive, content, inspection)
  const times = { snapshotMs: tookMs, compressMs: tookMs, verifyMs: now() - verifyFrom }
  await archive.sync()
  return { content, origin: stream.origin, inspection, verified, ...times }
}

async function* receive(
  request: BackupRequest,
  stream: SnapshotStream,
  inspection: Inspection,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of counted(request, 'snapshot', () => request.expectedBytes, stream.blobs)) {
      inspection.update(chunk)
      yield chunk
    }
  } finally {
    stream.close()
  }
}

/** The end of a pass over the snapshot. Throws a `backup` fault for one that is not whole. */
function inspected(path: string, inspection: Inspection): Provenance['content'] {
  const { content, problem } = inspection.endPass()
  if (problem === undefined) return content
  throw new Failure({ kind: 'backup', path, problem })
}

/** Reads the archive back from its file: what comes out is what went in, and a database all of which can be reached. */
async function verify(
  request: BackupRequest,
  archive: OwnFile,
  content: Provenance['content'],
  inspection: Inspection,
): Promise<Verified> {
  const { path } = request
  const unequal = (read: string, cause?: unknown) => {
    const problem = `what was written does not decode to the snapshot received: SHA-256 ${read}, expected ${content.sha256}`
    return new Failure({ kind: 'backup', path, problem }, cause)
  }
  const hash = createHash('sha256')
  let bytes = 0
  const see = (pass: number) => (chunk: Buffer) => {
    if (pass > 0) return
    hash.update(chunk)
    bytes += chunk.length
  }
  for (let pass = 0; pass === 0 || inspection.isUnfinished; pass++) {
    try {
      const read = counted(request, 'verify', () => archive.bytes, archive.read(see(pass)))
      for await (const chunk of decompress(read)) inspection.update(chunk)
    } catch (cause) {
      request.signal.throwIfAborted()
      throw unequal(`nothing (${cause instanceof Error ? cause.message : cause})`, cause)
    }
    request.tell('verify', bytes, bytes)
    const { content: read, problem } = inspection.endPass()
    if (read.sha256 !== content.sha256) throw unequal(read.sha256)
    if (problem !== undefined) throw new Failure({ kind: 'backup', path, problem })
  }
  return { archive: { bytes, sha256: hash.digest('hex') }, contents: inspection.contents() }
}

/** Passes chunks on, counts them aloud once their total is known, and stops when the signal says so. */
async function* counted(
  { signal, tell }: BackupRequest,
  phase: Phase,
  of: () => number | undefined,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of source) {
    signal.throwIfAborted()
    bytes += chunk.length
    yield chunk
    const total = of()
    if (total !== undefined) tell(phase, bytes, total)
  }
}

/** The system's own words, where there are no better ones. */
function backupFailure(path: string, thrown: unknown): Failure {
  const cause = firstOf(thrown)
  if (cause instanceof Failure) return cause
  const error = cause as NodeJS.ErrnoException
  const problem = writeProblem(dirname(path), error) ?? String(error.message ?? cause)
  return new Failure({ kind: 'backup', path, problem }, cause)
}

/** What went wrong first: a disk that breaks refuses the removal of our files as well, and that is thrown around it. */
function firstOf(thrown: unknown): unknown {
  const isAround = thrown instanceof Error && thrown.name === 'SuppressedError' && 'suppressed' in thrown
  return isAround ? firstOf(thrown.suppressed) : thrown
}
