import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { strangerTo } from '../backup/files.js'
import type { Provenance, Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import type { User } from '../system/etcd/storeReader.js'
import { refuseUnbound } from './child.js'
import { DrillEtcd } from './drillEtcd.js'
import { restoreArguments } from './identity.js'
import { inspectArchive, refuseUnhashed } from './inspect.js'
import { findProgram, type Program } from './program.js'
import { type Reading, readStore } from './reading.js'
import { DATA, runRestorer, SNAPSHOT, whereToGet } from './restore.js'
import { unpack } from './unpack.js'
import { isInMemory, refuseWithoutRoom, WorkFolder } from './workFolder.js'

export type DrillRequest = Readonly<{
  file: string
  drillDir: string | undefined
  etcdutl: string | undefined
  etcd: string | undefined
  /** Where this node's etcd has its data. */
  dataDirs: readonly string[]
  forceNoHash: boolean
  /** To read with where the data has authentication on. */
  user: User
  now(): number
  random(): number
  signal: AbortSignal
  tell(phase: string): void
}>

export type DrillResult = Readonly<{
  verified: Verified
  provenance: Provenance | undefined
  restorer: Program
  etcd: Program
  reading: Reading
  folder: string
  /** The most memory that etcd took; undefined where the kernel does not say. */
  peakMemory: number | undefined
  tookMs: Readonly<{
    verify: number
    unpack: number
    restore: number
    start: number
    read: number
    stop: number
  }>
}>

/** A cluster of its own, of which nobody else can be a member: its only peer is a socket in a folder of ours. */
const PEER = 'unix://peer:1'
const identity = { name: 'drill', peerUrls: [PEER], cluster: [{ name: 'drill', url: PEER }], notes: [] }

/**
 * Shows that the archive becomes an etcd that serves what is in it. Throws `Failure`: `archive` where it is damaged,
 * `refused` where this node cannot drill, `restore` where what came of it does not serve. Nothing is left, however it ends.
 */
export async function drill(request: DrillRequest): Promise<DrillResult> {
  const { file, signal, now, tell } = request
  const folder = await folderFor(request)
  await refuseUnbound()
  tell(`verifying ${file}`)
  const begun = now()
  await using inspected = await inspectArchive(file, { signal })
  const { verified, provenance } = inspected
  const verifiedAt = now()
  refuseUnhashed(verified, request.forceNoHash)
  const { restorer, etcd } = await programsFor(request, provenance)
  await refuseWithoutRoom(folder, verified.content.bytes, '--drill-dir')
  try {
    await using work = await WorkFolder.create(folder, 'drill')
    tell(`decompressing into ${work.path}`)
    await unpack(inspected, join(work.inside, SNAPSHOT), signal)
    const unpackedAt = now()
    tell(`restoring with ${restorer.path} (${restorer.name} ${restorer.version})`)
    const token = `drill-${verified.content.sha256.slice(0, 12)}`
    const more = { token, dataDir: DATA, bump: 0, skipHash: !verified.hasTrailer }
    await runRestorer(restorer, work, restoreArguments(identity, more), signal, true)
    const restoredAt = now()
    tell(`starting ${etcd.path} (etcd ${etcd.version}) on it`)
    await using server = await DrillEtcd.start(etcd, work.inside, verified.content.bytes, signal)
    const startedAt = now()
    tell('reading it')
    const reading = await readStore(server.socket, expectedRevision(verified, provenance), request)
    const readAt = now()
    const peakMemory = await server.peakMemory()
    await server.stop()
    await work.remove()
    const tookMs = {
      verify: verifiedAt - begun,
      unpack: unpackedAt - verifiedAt,
      restore: restoredAt - unpackedAt,
      start: startedAt - restoredAt,
      read: readAt - startedAt,
      stop: now() - readAt,
    }
    return { verified, provenance, restorer, etcd, reading, folder, peakMemory, tookMs }
  } catch (error) {
    throw signal.aborted ? error : failureOf(error, folder)
  }
}

const expectedRevision = (verified: Verified, provenance: Provenance | undefined): number =>
  Math.max(verified.contents.revision, provenance?.revision ?? 0)

/** Beside the archive, which has a disk of a size for it; never in memory unless the operator says so. */
async function folderFor({ file, drillDir }: DrillRequest): Promise<string> {
  const folder = drillDir ?? dirname(file)
  const refuse = (problem: string) =>
    new Failure({ kind: 'refused', check: 'drillDir', problem: `--drill-dir: ${problem}` })
  const there = await stat(folder).catch(error => {
    throw refuse(`${folder} cannot be used (${error.code ?? error})`)
  })
  if (!there.isDirectory()) throw refuse(`${folder} is not a folder`)
  const stranger = await strangerTo(there)
  if (stranger !== undefined)
    throw refuse(`${stranger} may rename what is in ${folder}; name a folder that is root's alone`)
  if (drillDir === undefined && (await isInMemory(folder)))
    throw refuse(
      `${folder}, where the archive is, is in memory, and a database is large; name a folder on a disk`,
    )
  return folder
}

async function programsFor(
  { etcdutl, etcd, dataDirs, signal }: DrillRequest,
  provenance: Provenance | undefined,
): Promise<Readonly<{ restorer: Program; etcd: Program }>> {
  const dataVersion = provenance?.member.etcdVersion
  const need = { dataVersion, bump: false }
  const server = await findProgram(
    etcd,
    { names: ['etcd'], option: '--etcd', need, dataDirs, signal },
    whereToGet('etcd', dataVersion),
  )
  // What restores must not be newer than what then reads it.
  const restorer = await findProgram(
    etcdutl,
    {
      names: ['etcdutl', 'etcdctl'],
      option: '--etcdutl',
      need: { ...need, dataVersion: dataVersion ?? server.version },
      dataDirs,
      signal,
    },
    whereToGet('etcdutl', dataVersion),
  )
  return { restorer, etcd: server }
}

function failureOf(thrown: unknown, folder: string): Failure {
  if (thrown instanceof Failure) return thrown
  const { code, message } = thrown as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  if (isFull)
    return new Failure(
      { kind: 'refused', check: 'room', problem: `--drill-dir: ${folder} has no room left` },
      thrown,
    )
  return new Failure({ kind: 'restore', problem: `the drill failed: ${message ?? thrown}` }, thrown)
}
