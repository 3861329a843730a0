import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Checksum, MemberRecord, Provenance, Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import type { MemberId } from '../model/member.js'

/** Where the provenance of an archive is. */
export const provenancePath = (archive: string): string => `${archive}.json`

/** More would be no provenance: a thousand members take less. */
const MAX_BYTES = 1 << 20

/** What is written beside the archive; undefined where there is nothing. Throws an `archive` fault where it is not understood. */
export async function readProvenance(archive: string): Promise<Provenance | undefined> {
  const path = provenancePath(archive)
  const fail = (problem: string, cause?: unknown) => new Failure({ kind: 'archive', path, problem }, cause)
  // Not blocking, since opening a named pipe waits for who writes to it.
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw fail(`cannot be read (${error.code ?? error})`, error)
    },
  )
  if (opened === undefined) return undefined
  try {
    const found = await opened.stat()
    if (!found.isFile() || found.size > MAX_BYTES)
      throw new Error(found.isFile() ? `it is ${found.size} bytes long` : 'it is no file')
    return provenanceOf(jsonOf(await opened.readFile('utf8')))
  } catch (error) {
    const problem = `does not describe a backup as etcd-defrag writes it (${error instanceof Error ? error.message : error}); where it was changed, move it away`
    throw fail(problem, error)
  } finally {
    await opened.close()
  }
}

/** JSON.parse's own words quote what is in the file. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('it is no JSON')
  }
}

/** Takes known fields only. Throws Error that names the first one which is not as it should be. */
export function provenanceOf(value: unknown): Provenance {
  const top = fieldsOf(value, 'it')
  if (top['format'] !== 1)
    throw new Error(`format is ${JSON.stringify(top['format'])}, and this version knows 1`)
  const cluster = fieldsOf(top['cluster'], 'cluster')
  const member = fieldsOf(top['member'], 'member')
  const storageVersion = member['storageVersion']
  return {
    format: 1,
    tool: text(top['tool'], 'tool'),
    takenAt: time(top['takenAt'], 'takenAt'),
    host: text(top['host'], 'host'),
    cluster: {
      id: id(cluster['id'], 'cluster.id'),
      members: list(cluster['members'], 'cluster.members', memberRecordOf),
    },
    member: {
      id: id(member['id'], 'member.id') as MemberId,
      name: text(member['name'], 'member.name'),
      etcdVersion: text(member['etcdVersion'], 'member.etcdVersion'),
      storageVersion: storageVersion === null ? null : text(storageVersion, 'member.storageVersion'),
    },
    revision: count(top['revision'], 'revision'),
    totalKeys: count(top['totalKeys'], 'totalKeys'),
    content: checksum(top['content'], 'content'),
    archive: checksum(top['archive'], 'archive'),
  }
}

function memberRecordOf(value: unknown, what: string): MemberRecord {
  const fields = fieldsOf(value, what)
  const { learner } = fields
  if (typeof learner !== 'boolean') throw wrong(`${what}.learner`, learner, 'true or false')
  return {
    id: id(fields['id'], `${what}.id`) as MemberId,
    // A runbook is made of these: a name must not pass for a flag.
    name: matching(fields['name'], `${what}.name`, /^(?!-)\P{C}*$/u, 'the name of a member'),
    peerUrls: list(fields['peerUrls'], `${what}.peerUrls`, memberUrl),
    clientUrls: list(fields['clientUrls'], `${what}.clientUrls`, memberUrl),
    learner,
  }
}

function matching(value: unknown, what: string, shape: RegExp, expected: string): string {
  const found = text(value, what)
  if (!shape.test(found)) throw wrong(what, value, expected)
  return found
}

/** What etcd takes (etcd: client/pkg/types/urls.go, NewURLs): a host and a port and no path, or a socket. */
const memberUrl = (value: unknown, what: string): string =>
  matching(
    value,
    what,
    /^(https?:\/\/(\[[\w:.%-]+\]|[\w.-]+):\d{1,5}\/?|unixs?:\/\/[\w./:-]+)$/,
    'a URL such as https://10.0.0.1:2380',
  )

const wrong = (what: string, value: unknown, expected: string): Error =>
  new Error(`${what} is ${(JSON.stringify(value) ?? 'missing').slice(0, 60)}; expected ${expected}`)

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(what, value, 'an object')
  return value as Record<string, unknown>
}

function text(value: unknown, what: string): string {
  // Names go on to command lines and terminals.
  if (typeof value !== 'string' || value.length > 1000 || /\p{Cc}/u.test(value))
    throw wrong(what, value, 'text on one line')
  return value
}

function list<T>(value: unknown, what: string, of: (item: unknown, what: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw wrong(what, value, 'a list')
  return value.map((item, i) => of(item, `${what}[${i}]`))
}

function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw wrong(what, value, 'a whole number')
  return value
}

function id(value: unknown, what: string): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{1,16}$/.test(value)) throw wrong(what, value, 'an id in hex')
  return value
}

function time(value: unknown, what: string): string {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(value) || Number.isNaN(Date.parse(value)))
    throw wrong(what, value, 'a time such as 2026-01-31T02:30:00Z')
  return value
}

function checksum(value: unknown, what: string): Checksum {
  const { bytes, sha256 } = fieldsOf(value, what)
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
    throw wrong(`${what}.sha256`, sha256, 'a SHA-256 in hex')
  return { bytes: count(bytes, `${what}.bytes`), sha256 }
}

/** Size and SHA-256 of a file as it is now. */
export async function checksumOf(path: string, signal?: AbortSignal): Promise<Checksum> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { bytes, sha256: hash.digest('hex') }
}

export const isSame = (one: Checksum, other: Checksum): boolean =>
  one.bytes === other.bytes && one.sha256 === other.sha256

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
