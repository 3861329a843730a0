import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { Archive, type Watch } from '../backup/open.js'
import { readProvenance, refuseMismatch } from '../backup/provenance.js'
import { verifyOpen } from '../backup/verify.js'
import type { Provenance, Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import { identityOf } from './processes.js'

/** Throws an `archive` fault where there is no file to read, before anything else is asked of the operator. */
export async function refuseMissing(path: string): Promise<void> {
  await access(path, constants.R_OK).catch(cause => {
    throw new Failure({ kind: 'archive', path, problem: `cannot be read (${cause.code ?? cause})` }, cause)
  })
}

/** An archive found whole, open: a backup that takes its name meanwhile changes nothing. */
export type Inspected = AsyncDisposable &
  Readonly<{ archive: Archive; verified: Verified; provenance: Provenance | undefined }>

/**
 * Reads all of the file, and what lies beside it. Throws an `archive` fault where it cannot be trusted. A backup puts its
 * two files in place one after the other, so where a new one came meanwhile, that is read instead.
 */
export async function inspectArchive(path: string, watch: Watch): Promise<Inspected> {
  for (let tries = 1; ; tries++) {
    const before = await identityAt(path)
    const archive = await Archive.open(path)
    try {
      const early = await readProvenance(path)
      const verified = await verifyOpen(archive, watch)
      const provenance =
        early?.archive.sha256 === verified.archive.sha256 ? early : await readProvenance(path)
      refuseMismatch(verified, provenance)
      return { archive, verified, provenance, [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose]() }
    } catch (error) {
      await archive[Symbol.asyncDispose]()
      if (watch.signal.aborted || tries === 3 || (await identityAt(path)) === before) throw error
    }
  }
}

const identityAt = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(identityOf, () => undefined)

/** Throws an `archive` fault where nothing would tell a damaged value, unless that is known. */
export function refuseUnhashed({ path, hasTrailer }: Verified, force: boolean): void {
  if (hasTrailer || force) return
  throw new Failure({
    kind: 'archive',
    path,
    problem:
      "it ends without etcd's SHA-256, as a copy of a member's own file does, so that a damaged value would not be noticed; to take it all the same: --force-no-hash",
  })
}
