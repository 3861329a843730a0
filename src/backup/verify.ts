import type { Verified } from '../model/backup.js'
import { Failure } from '../model/fault.js'
import { Damage } from './bolt/damage.js'
import { Walk, type WalkOptions } from './bolt/walk.js'
import { missingTrailer } from './missingTrailer.js'
import { Archive, type Watch } from './open.js'
import { type Passed, TrailerCheck } from './trailer.js'

/**
 * Reads a snapshot, .xz or not, to its end and checks all of it: the container, etcd's SHA-256, and every page of the
 * database that is in use. Needs no disk and memory that hardly grows with the file. Throws an `archive` fault that
 * says what is wrong and where, as far as that can be known.
 */
export async function verify(path: string, watch: Watch): Promise<Verified> {
  return (await walkThrough(path, watch)).verified
}

/** The same of one that is open, and stays so. */
export const verifyOpen = async (archive: Archive, watch: Watch): Promise<Verified> =>
  (await walkOpen(archive, watch, {})).verified

/** The same, and the walk with what it was asked to find beside. */
export async function walkThrough(
  path: string,
  watch: Watch,
  options: WalkOptions = {},
): Promise<{ verified: Verified; walk: Walk }> {
  await using archive = await Archive.open(path)
  return await walkOpen(archive, watch, options) // before it is closed
}

async function walkOpen(
  archive: Archive,
  watch: Watch,
  options: WalkOptions,
): Promise<{ verified: Verified; walk: Walk }> {
  const { path } = archive
  const check = new TrailerCheck()
  const walk = new Walk(options)
  const damage = await walked(archive, watch, walk, check)
  const passed = check.passed()
  const problem =
    problemOf(damage, passed) ?? (await missingTrailer(archive, watch, walk, passed)) ?? strangeness(walk)
  if (problem !== undefined) throw new Failure({ kind: 'archive', path, problem }, damage)
  const verified: Verified = {
    path,
    kind: archive.kind,
    archive: archive.checksum ?? passed.whole,
    content: passed.content,
    hasTrailer: passed.trailer !== undefined,
    contents: walk.contents(),
  }
  return { verified, walk }
}

/** As many passes as the walk takes, the first one to its end even so; resolves to the first damage it finds. */
async function walked(
  archive: Archive,
  watch: Watch,
  walk: Walk,
  check: TrailerCheck,
): Promise<Damage | undefined> {
  const first = await onePass(archive.pass(watch), walk, chunk => check.update(chunk))
  if (first instanceof Damage) return first
  for (let again = first; again; ) {
    const next = await onePass(archive.pass(watch), walk)
    if (next instanceof Damage) return next
    again = next
  }
  return undefined
}

/** Whether the walk needs another one, or what it found. Only a pass that somebody listens to goes on after that. */
async function onePass(
  pass: AsyncIterable<Buffer>,
  walk: Walk,
  listen?: (chunk: Buffer) => void,
): Promise<boolean | Damage> {
  let damage: Damage | undefined
  for await (const chunk of pass) {
    listen?.(chunk)
    damage ??= damageIn(() => walk.update(chunk))
    if (damage !== undefined && listen === undefined) return damage
  }
  let again = false
  damage ??= damageIn(() => {
    again = walk.endPass()
  })
  return damage ?? again
}

/** The damage that it throws, if it throws any. */
export function damageIn(act: () => void): Damage | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof Damage) return error
    throw error
  }
}

/** What is wrong with a snapshot all of which has passed; undefined where nothing is. */
export function problemOf(damage: Damage | undefined, { content, trailer }: Passed): string | undefined {
  if (damage !== undefined && trailer === undefined) return damage.message
  if (damage !== undefined)
    return content.sha256 === trailer
      ? `${damage.message}; its SHA-256 matches, so the database of the member was damaged already when the snapshot was taken`
      : `${damage.message}; its SHA-256 does not match either`
  if (trailer === undefined || content.sha256 === trailer) return undefined
  return `the SHA-256 of the database is ${content.sha256}, the snapshot's last 32 bytes say ${trailer}: every page in use is in order, so the damage is within values, in free pages or in those last bytes, which only the SHA-256 covers`
}

/** Other programs use bbolt too. */
export function strangeness(walk: Walk): string | undefined {
  const { buckets } = walk.contents()
  if (buckets.some(({ name }) => name === 'key')) return undefined
  const names = buckets.slice(0, 5).map(({ name }) => name.replaceAll(/\p{C}/gu, '?').slice(0, 40))
  const others = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`
  return `a whole bbolt database, but none of etcd: there is no bucket "key" in it (${others})`
}
