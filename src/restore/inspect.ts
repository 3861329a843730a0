import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { readProvenance, refuseMismatch } from '../backup/provenance.js'
import { verify } from '../backup/verify.js'
import type { Provenance, Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'

/** Throws an `archive` fault where there is no file to read, before anything else is asked of the operator. */
export async function refuseMissing(path: string): Promise<void> {
  await access(path, constants.R_OK).catch(cause => {
    throw new Failure({ kind: 'archive', path, problem: `cannot be read (${cause.code ?? cause})` }, cause)
  })
}

/** Reads all of the file, and what lies beside it. Throws an `archive` fault where it cannot be trusted. */
export async function inspectArchive(
  path: string,
  signal: AbortSignal,
): Promise<Readonly<{ verified: Verified; provenance: Provenance | undefined }>> {
  const provenance = await readProvenance(path)
  const verified = await verify(path, { signal })
  refuseMismatch(verified, provenance)
  return { verified, provenance }
}

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
