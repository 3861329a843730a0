import { link, lstat, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Provenance } from '../model/backup.js'
import { faultOf } from '../model/fault.js'
import { type Retention, retained } from '../model/retention.js'
import { type OwnFile, syncFolder } from './files.js'
import { checksumOf, isSame, provenancePath, readProvenance } from './provenance.js'

/** An archive of `--backup-path`, or an earlier one beside it. */
export type Generation = Readonly<{
  path: string
  bytes: number
  /** By its provenance, else when the file was last changed; ms since the epoch. */
  takenAt: number
  provenance: Provenance | undefined
  /** Why the provenance beside it cannot be used. */
  problem: string | undefined
}>

/** `etcd-backup-20261122T023000Z.xz` for `etcd-backup.xz`. */
function datedPath(path: string, takenAt: number, number: number): string {
  const extension = extname(path)
  const time = new Date(takenAt).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return join(
    dirname(path),
    `${basename(path, extension)}-${time}${number === 1 ? '' : `-${number}`}${extension}`,
  )
}

/** A dated name; a number is added where two archives are of the same second. */
function isDated(path: string, name: string): boolean {
  const extension = extname(path)
  const stem = `${basename(path, extension)}-`
  if (!name.startsWith(stem) || !name.endsWith(extension)) return false
  return /^\d{8}T\d{6}Z(?:-\d+)?$/.test(name.slice(stem.length, name.length - extension.length))
}

/** The archive at `path` and its earlier ones, that first and then from new to old. */
export async function generationsOf(path: string): Promise<readonly Generation[]> {
  const names = (await readdir(dirname(path))).filter(name => isDated(path, name))
  const earlier = await Promise.all(names.map(name => generationAt(join(dirname(path), name))))
  const newest = await generationAt(path)
  return [newest, ...earlier.sort((a, b) => (b?.takenAt ?? 0) - (a?.takenAt ?? 0))].filter(
    generation => generation !== undefined,
  )
}

async function generationAt(path: string): Promise<Generation | undefined> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined || !found.isFile()) return undefined
  const [provenance, problem] = await readProvenance(path).then(
    read =>
      read === undefined || read.archive.bytes === found.size
        ? ([read, undefined] as const)
        : ([undefined, 'the provenance beside it is that of another archive'] as const),
    error => {
      const fault = faultOf(error)
      if (fault.kind !== 'archive') throw error
      return [undefined, fault.problem] as const
    },
  )
  const takenAt = provenance === undefined ? found.mtimeMs : Date.parse(provenance.takenAt)
  return { path, bytes: found.size, takenAt, provenance, problem }
}

/**
 * Puts a verified archive, taken at `takenAt`, and its provenance in place; both are synced already. What was there stays
 * as an earlier one where the retention wants it or it is not ours, and so at every instant, from the first archive on,
 * there is a whole one at `path`. Resolves to what there is to say. Throws while the previous archive is still there.
 */
export async function putInPlace(
  path: string,
  files: Readonly<{ archive: OwnFile; provenance: OwnFile }>,
  takenAt: number,
  retention: Retention,
): Promise<readonly string[]> {
  const warnings = await keepPrevious(path, takenAt, retention)
  await files.archive.moveTo(path)
  try {
    await files.provenance.moveTo(provenancePath(path))
    await syncFolder(path)
  } catch (error) {
    return [...warnings, `${path} is in place, but a power cut now may bring the old one back (${error})`]
  }
  const problems = await prune(path, retention).catch(error => [
    `earlier archives beside ${path} were not looked through: ${error}`,
  ])
  return [...warnings, ...problems]
}

/** Gives what is at `path` a second name before it is replaced, unless it is ours and not wanted any more. */
async function keepPrevious(path: string, takenAt: number, retention: Retention): Promise<readonly string[]> {
  const [previous, ...earlier] = await generationsOf(path)
  if (previous?.path !== path) return []
  const ours = await isAsWritten(previous)
  const own = [previous, ...earlier].filter(({ provenance }) => provenance !== undefined)
  const isWanted = retained([takenAt, ...own.map(one => one.takenAt)], retention)[1] === true
  if (ours && !isWanted) return []
  const kept = await secondName(path, previous.takenAt)
  return ours
    ? []
    : [
        `the file that was at ${path} was not written by this tool${previous.problem === undefined ? '' : ` (${previous.problem})`}, so it is kept as ${kept}; remove it once it is of no use`,
      ]
}

/** Whether this tool wrote the archive, and it is still what was verified then. */
async function isAsWritten({ path, provenance }: Generation): Promise<boolean> {
  return provenance !== undefined && isSame(await checksumOf(path), provenance.archive)
}

/** Links the archive and what is beside it to a dated name that is free; where there are no links they are renamed. */
async function secondName(path: string, takenAt: number): Promise<string> {
  for (let number = 1; number < 100; number++) {
    const name = datedPath(path, takenAt, number)
    const pairs = [
      [provenancePath(path), provenancePath(name)], // first, so that a kill in between leaves no archive without it
      [path, name],
    ] as const
    const taken = await Promise.all(pairs.map(([from, to]) => isOther(from, to)))
    if (taken.includes(true)) continue
    for (const [from, to] of pairs) await linkOrRename(from, to)
    return name
  }
  throw new Error(`no name like ${datedPath(path, takenAt, 1)} is free`)
}

/** Whether `to` is there and not just another name of `from`, as a run that was killed in between leaves it. */
async function isOther(from: string, to: string): Promise<boolean> {
  const [a, b] = await Promise.all([from, to].map(file => lstat(file).catch(() => undefined)))
  return b !== undefined && (a?.ino !== b.ino || a.dev !== b.dev)
}

/** link(2): some file systems have no second names. */
async function linkOrRename(from: string, to: string): Promise<void> {
  await link(from, to).catch(async ({ code, message }) => {
    if (code === 'EEXIST' || (code === 'ENOENT' && from.endsWith('.json'))) return
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw new Error(message)
    await rename(from, to)
  })
}

/** Removes the earlier archives that this tool wrote and that no rule keeps. The newest has just been verified. */
async function prune(path: string, retention: Retention): Promise<readonly string[]> {
  const ours = (await generationsOf(path)).filter(({ provenance }) => provenance !== undefined)
  const wanted = retained(
    ours.map(({ takenAt }) => takenAt),
    retention,
  )
  const warnings: string[] = []
  for (const [i, generation] of ours.entries()) {
    if (generation.path === path || wanted[i] === true) continue
    if (await isAsWritten(generation)) {
      await rm(generation.path)
      await rm(provenancePath(generation.path))
    } else
      warnings.push(
        `${generation.path} is no longer as it was written, so it is not removed either; look at it with etcd-defrag backup verify ${generation.path}`,
      )
  }
  return warnings
}
