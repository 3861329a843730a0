import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Checksum, Provenance } from '../model/backup.js'
import { Failure } from '../model/fault.js'

/** Where the provenance of an archive is. */
export const provenancePath = (archive: string): string => `${archive}.json`

/**
 * What is said of the archive beside it; undefined where there is nothing. Throws `Failure` (`archive`) where it is
 * not as this tool writes it.
 */
export async function readProvenance(archive: string): Promise<Provenance | undefined> {
  const path = provenancePath(archive)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Failure(
      { kind: 'archive', path, problem: `cannot be read (${(error as Error).message})` },
      error,
    )
  }
  const problem = (what: string) =>
    new Failure({
      kind: 'archive',
      path,
      problem: `is no provenance that etcd-defrag wrote (${what}); move it away to go on without it`,
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw problem((error as Error).message)
  }
  const wrong = flawOf(value)
  if (wrong !== undefined) throw problem(wrong)
  return value as Provenance
}

type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'string?'
  | readonly [Shape]
  | { readonly [field: string]: Shape }

const checksum = { bytes: 'number', sha256: 'string' } as const
const shape: Shape = {
  format: 'number',
  tool: 'string',
  takenAt: 'string',
  host: 'string',
  cluster: {
    id: 'string',
    members: [
      { id: 'string', name: 'string', peerUrls: ['string'], clientUrls: ['string'], learner: 'boolean' },
    ],
  },
  member: { id: 'string', name: 'string', etcdVersion: 'string', storageVersion: 'string?' },
  revision: 'number',
  totalKeys: 'number',
  content: checksum,
  archive: checksum,
}

/** Where the value differs from what is written; undefined where it does not. Fields that came later do no harm. */
function flawOf(value: unknown): string | undefined {
  const flaw = differenceOf(value, shape, '')
  if (flaw !== undefined) return flaw
  const { format, takenAt } = value as Provenance
  if (format !== 1) return `its format is ${format}, and this version knows 1`
  return Number.isNaN(Date.parse(takenAt)) ? 'takenAt is no time' : undefined
}

function differenceOf(value: unknown, expected: Shape, where: string): string | undefined {
  const at = where === '' ? 'it' : where.slice(1)
  if (expected === 'string?') return value === null ? undefined : differenceOf(value, 'string', where)
  if (typeof expected === 'string') {
    if (typeof value !== expected) return `${at} is no ${expected}`
    return expected === 'number' && !(Number.isSafeInteger(value) && (value as number) >= 0)
      ? `${at} is no count`
      : undefined
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(value)) return `${at} is no list`
    return first(value, (item, i) => differenceOf(item, expected[0] as Shape, `${where}.${i}`))
  }
  if (typeof value !== 'object' || value === null) return `${at} is no object`
  return first(Object.entries(expected), ([field, inner]) =>
    differenceOf((value as Record<string, unknown>)[field], inner as Shape, `${where}.${field}`),
  )
}

function first<T>(items: readonly T[], find: (item: T, i: number) => string | undefined): string | undefined {
  for (const [i, item] of items.entries()) {
    const found = find(item, i)
    if (found !== undefined) return found
  }
  return undefined
}

/** Size and SHA-256 of a file as it is now. */
export async function checksumOf(path: string): Promise<Checksum> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { bytes, sha256: hash.digest('hex') }
}

export const isSame = (one: Checksum, other: Checksum): boolean =>
  one.bytes === other.bytes && one.sha256 === other.sha256
