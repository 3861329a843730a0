import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { readProvenance } from '../backup/provenance.js'
import { verify } from '../backup/verify.js'
import type { Provenance, Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'

/** Throws an `archive` fault where the file is not the one that its provenance describes, naming both. */
export function refuseMismatch(verified: Verified, provenance: Provenance | undefined): void {
  if (provenance === undefined) return
  for (const part of ['archive', 'content'] as const) {
    const [is, said] = [verified[part].sha256, provenance[part].sha256]
    if (is === said) continue
    const problem = `the SHA-256 of its ${part === 'archive' ? 'bytes' : 'database'} is ${is}, and ${verified.path}.json is of one with ${said}: they do not belong together; where the archive is the right one, move the .json away`
    throw new Failure({ kind: 'archive', path: verified.path, problem })
  }
}

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
