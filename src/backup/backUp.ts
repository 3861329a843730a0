import { dirname } from 'node:path'
import { Failure } from '../model/fault.js'
import type { BackupResult } from '../model/step.js'
import type { Phase, SnapshotStream } from '../model/world.js'
import {
  checkTarget,
  freeBytes,
  OwnFile,
  removeLeftovers,
  reserveOf,
  roomToSpool,
  writeProblem,
} from './files.js'
import { TrailerCheck } from './trailer.js'
import { compress, decompress } from './xz.js'

export type BackupRequest = Readonly<{
  path: string
  /** The database's size as the member reports it; what decides whether there is room to spool. */
  expectedBytes: number
  open(): Promise<SnapshotStream>
  now(): number
  signal: AbortSignal
  tell(phase: Phase, bytes: number, of: number | undefined): void
}>

/**
 * Takes a snapshot and puts it at `path` as .xz: received, checked against its own SHA-256, compressed,
 * decoded again and checked again, synced, and only then swapped in. Throws `Failure` (`backup`, or `etcd`
 * from the stream); then, and when `signal` aborts it, the file that was at `path` is still there and
 * nothing else of ours is.
 */
export async function backUp(
  request: BackupRequest,
): Promise<{ result: BackupResult; warnings: readonly string[] }> {
  const { path } = request
  await checkTarget(path)
  try {
    await removeLeftovers(path)
    const room = (await freeBytes(dirname(path))) - (await reserveOf(dirname(path)))
    const spooled = room >= roomToSpool(request.expectedBytes)
    await using archive = await OwnFile.create(path, 'partial')
    const received = spooled ? await viaSpool(request, archive) : await asItComes(request, archive)
    const verifyFrom = request.now()
    const archiveBytes = await verify(request, archive, received.sha256)
    const verifyMs = request.now() - verifyFrom
    request.signal.throwIfAborted()
    const unsynced = await archive.replace(path)
    const warnings = [
      ...(spooled ? [] : [tooTight(request, room)]),
      ...(unsynced === undefined ? [] : [unsynced]),
    ]
    return { result: { path, archiveBytes, spooled, verifyMs, ...received }, warnings }
  } catch (error) {
    throw error instanceof Failure || request.signal.aborted ? error : backupFailure(path, error)
  }
}

const tooTight = ({ path, expectedBytes }: BackupRequest, room: number): string =>
  `backup to ${path}: no room to spool the snapshot there (${Math.max(0, room)} bytes are free beyond the reserve, ${roomToSpool(expectedBytes)} wanted), so it was compressed as it came; the open stream makes the database grow meanwhile`

type Received = Pick<BackupResult, 'snapshotBytes' | 'sha256' | 'snapshotMs' | 'compressMs'>

/** At line speed to a file, so that etcd's read transaction is short; compressed afterwards. */
async function viaSpool(request: BackupRequest, archive: OwnFile): Promise<Received> {
  const { now, path } = request
  await using spool = await OwnFile.create(path, 'spool')
  const snapshotFrom = now()
  const check = new TrailerCheck()
  for await (const chunk of receive(request, check)) await spool.write(chunk)
  const sha256 = check.finish(path)
  const compressFrom = now()
  const told = counted(request, 'compress', check.bytes, spool.read())
  await compress(told, chunk => archive.write(chunk))
  return {
    snapshotBytes: check.bytes,
    sha256,
    snapshotMs: compressFrom - snapshotFrom,
    compressMs: now() - compressFrom,
  }
}

async function asItComes(request: BackupRequest, archive: OwnFile): Promise<Received> {
  const from = request.now()
  const check = new TrailerCheck()
  await compress(receive(request, check), chunk => archive.write(chunk))
  const tookMs = request.now() - from
  return {
    snapshotBytes: check.bytes,
    sha256: check.finish(request.path),
    snapshotMs: tookMs,
    compressMs: tookMs,
  }
}

async function* receive(request: BackupRequest, check: TrailerCheck): AsyncGenerator<Buffer> {
  const stream = await request.open()
  try {
    for await (const chunk of counted(request, 'snapshot', request.expectedBytes, stream.blobs)) {
      check.update(chunk)
      yield chunk
    }
  } finally {
    stream.close()
  }
}

/** Reads the archive back from its file; what comes out must carry the SHA-256 that went in. */
async function verify(request: BackupRequest, archive: OwnFile, sha256: string): Promise<number> {
  const { path } = request
  const { size } = await archive.handle.stat()
  const check = new TrailerCheck()
  const decode = async () => {
    for await (const chunk of decompress(counted(request, 'verify', size, archive.read())))
      check.update(chunk)
  }
  const read = await decode().then(
    () => check.finish(path),
    cause => {
      request.signal.throwIfAborted()
      return `nothing (${cause instanceof Error ? cause.message : cause})`
    },
  )
  if (read !== sha256) {
    const problem = `what was written does not decode to the snapshot received: SHA-256 ${read}, expected ${sha256}`
    throw new Failure({ kind: 'backup', path, problem })
  }
  return size
}

/** Passes chunks on, counts them aloud, and stops when the signal says so. */
async function* counted(
  { signal, tell }: BackupRequest,
  phase: Phase,
  of: number,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of source) {
    signal.throwIfAborted()
    bytes += chunk.length
    yield chunk
    tell(phase, bytes, of)
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
