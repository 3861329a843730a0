import { createReadStream } from 'node:fs'
import { link, lstat, readFile, rename, rm } from 'node:fs/promises'
import type { Provenance } from '../model/backup.js'
import { type Retention, retained } from '../model/retention.js'
import { leftoversOf, OwnFile, syncFolder } from './files.js'
import { datedPath, type Generation, generationsOf, isAsWritten } from './generations.js'
import { checksumOf, isSame, provenanceOf, provenancePath } from './provenance.js'

/**
 * Removes what runs that no longer live left beside `path`. The provenance of a run that was killed right after it had
 * put its archive in place is put beside it.
 */
export async function tidyUp(path: string): Promise<void> {
  for (const leftover of await leftoversOf(path)) {
    if (leftover.endsWith('.provenance') && (await describes(leftover, path)))
      await rename(leftover, provenancePath(path))
    else await rm(leftover, { force: true })
  }
}

async function describes(leftover: string, path: string): Promise<boolean> {
  try {
    const { archive } = provenanceOf(JSON.parse(await readFile(leftover, 'utf8')))
    return isSame(await checksumOf(path), archive)
  } catch {
    return false // it was not written to its end, or there is no archive
  }
}

/**
 * Puts a verified archive and its provenance in place; both are synced already. What was there stays
 * as an earlier one where the retention wants it or it is not ours, and so at every instant, from the first archive on,
 * there is a whole one at `path`. Resolves to what there is to say. Throws while the previous archive is still there.
 */
export async function putInPlace(
  path: string,
  files: Readonly<{ archive: OwnFile; provenance: OwnFile }>,
  fresh: Provenance,
  retention: Retention,
): Promise<readonly string[]> {
  const warnings = await keepPrevious(path, fresh, retention)
  await files.archive.moveTo(path)
  try {
    await files.provenance.moveTo(provenancePath(path))
    await syncFolder(path)
  } catch (error) {
    return [...warnings, `${path} is in place, but a power cut now may bring the old one back (${error})`]
  }
  const problems = await prune(path, fresh, retention).catch(error => [
    `earlier archives beside ${path} were not looked through: ${error}`,
  ])
  return [...warnings, ...problems]
}

/** Gives what is at `path` a second name before it is replaced, unless it is ours and not wanted any more. */
async function keepPrevious(
  path: string,
  fresh: Provenance,
  retention: Retention,
): Promise<readonly string[]> {
  const [previous, ...earlier] = await generationsOf(path)
  if (previous?.path !== path) return []
  const isOurs = await isAsWritten(previous)
  const loss = lossOf(previous, fresh)
  const own = [previous, ...earlier].filter(({ provenance }) => provenance !== undefined)
  const times = [Date.parse(fresh.takenAt), ...own.map(one => one.takenAt)]
  if (isOurs && loss === undefined && retained(times, retention)[1] !== true) return []
  const kept = await secondName(path, previous.takenAt)
  if (isOurs) return loss === undefined ? [] : [`${loss}: the previous backup is kept as ${kept}`]
  const why = previous.problem === undefined ? '' : ` (${previous.problem})`
  return [
    `the file that was at ${path} was not written by this tool${why}, so it is kept as ${kept}; remove it once it is of no use`,
  ]
}

/**
 * Why the earlier archive may hold what the fresh one has lost; undefined where it does not. An etcd that was wiped and
 * started again is healthy, and empty: that is the day on which the earlier archive is needed.
 */
function lossOf({ provenance }: Generation, fresh: Provenance): string | undefined {
  if (provenance === undefined) return undefined
  const { cluster, revision } = provenance
  if (cluster.id !== fresh.cluster.id)
    return `this backup is of cluster ${fresh.cluster.id}, the previous one of ${cluster.id}`
  return revision > fresh.revision
    ? `this backup ends at revision ${fresh.revision}, the previous one at ${revision}, so etcd has lost data or was restored`
    : undefined
}

/** Gives the archive and what is beside it a dated name that is free too. */
async function secondName(path: string, takenAt: number): Promise<string> {
  for (let number = 1; number < 100; number++) {
    const name = datedPath(path, takenAt, number)
    const pairs = [
      [provenancePath(path), provenancePath(name)], // first, so that a kill in between leaves no archive without it
      [path, name],
    ] as const
    const taken = await Promise.all(pairs.map(([from, to]) => isOther(from, to)))
    if (taken.includes(true)) continue
    for (const [from, to] of pairs) await linkOrCopy(from, to)
    return name
  }
  throw new Error(`no name like ${datedPath(path, takenAt, 1)} is free`)
}

/** Whether `to` is there and not just another name of `from`, as a run that was killed in between leaves it. */
async function isOther(from: string, to: string): Promise<boolean> {
  const [a, b] = await Promise.all([from, to].map(file => lstat(file).catch(() => undefined)))
  return b !== undefined && (a?.ino !== b.ino || a.dev !== b.dev)
}

/** A second name, or a copy where the file system has no such thing (link(2)): the first name is never gone. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(async ({ code, message }) => {
    if (code === 'EEXIST' || (code === 'ENOENT' && from.endsWith('.json'))) return
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw new Error(message)
    await using copy = await OwnFile.create(from.replace(/\.json$/, ''), 'partial')
    for await (const chunk of createReadStream(from)) await copy.write(chunk as Buffer)
    await copy.sync()
    await copy.moveTo(to)
  })
}

/** Removes the earlier archives that this tool wrote and that nothing keeps. The newest has just been verified. */
async function prune(path: string, fresh: Provenance, retention: Retention): Promise<readonly string[]> {
  const ours = (await generationsOf(path)).filter(({ provenance }) => provenance !== undefined)
  const wanted = retained(
    ours.map(({ takenAt }) => takenAt),
    retention,
  )
  const warnings: string[] = []
  for (const [i, generation] of ours.entries()) {
    if (generation.path === path || wanted[i] === true || lossOf(generation, fresh) !== undefined) continue
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
