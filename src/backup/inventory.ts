import type { Verified } from '../model/backup.js'
import { faultOf } from '../model/fault.js'
import { type Generation, generationsOf } from './generations.js'
import { checksumOf, isSame } from './provenance.js'
import { verify } from './verify.js'

/** An archive and whether a cluster could be restored from it. */
export type Listed = Generation &
  Readonly<{
    state: /** Byte for byte what was verified when it was written. */
      | Readonly<{ kind: 'unchanged' }>
      /** Without a provenance it is read and walked now. */
      | Readonly<{ kind: 'verified'; verified: Verified }>
      | Readonly<{ kind: 'damaged'; problem: string }>
  }>

/** The archive at `path` and its earlier ones, newest first, each looked at as a whole. */
export async function inventoryOf(path: string, signal: AbortSignal): Promise<readonly Listed[]> {
  const listed: Listed[] = []
  for (const generation of await generationsOf(path)) {
    signal.throwIfAborted()
    listed.push({ ...generation, state: await stateOf(generation, signal) })
  }
  return listed
}

async function stateOf({ path, provenance }: Generation, signal: AbortSignal): Promise<Listed['state']> {
  try {
    if (provenance === undefined) return { kind: 'verified', verified: await verify(path, { signal }) }
    const is = await checksumOf(path, signal)
    if (isSame(is, provenance.archive)) return { kind: 'unchanged' }
    const problem = `its SHA-256 is ${is.sha256}, and ${provenance.archive.sha256} was written`
    return { kind: 'damaged', problem }
  } catch (error) {
    signal.throwIfAborted()
    const fault = faultOf(error)
    if (fault.kind !== 'archive' && fault.kind !== 'bug') throw error
    return { kind: 'damaged', problem: fault.problem }
  }
}
