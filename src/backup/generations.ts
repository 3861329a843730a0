import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Provenance } from '../model/backup.js'
import { Failure, faultOf } from '../model/fault.js'
import { checksumOf, isSame, readProvenance } from './provenance.js'

/** An archive of `--backup-path`, or an earlier one beside it. */
export type Generation = Readonly<{
  path: string
  bytes: number
  /** By its provenance, else by its name, else when the file was last changed; ms since the epoch. */
  takenAt: number
  provenance: Provenance | undefined
  /** Why the provenance beside it cannot be used. */
  problem: string | undefined
}>

/** `etcd-backup-20261122T023000Z.xz` for `etcd-backup.xz`. */
export function datedPath(path: string, takenAt: number, number: number): string {
  const extension = extname(path)
  const time = new Date(takenAt).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return join(
    dirname(path),
    `${basename(path, extension)}-${time}${number === 1 ? '' : `-${number}`}${extension}`,
  )
}

/** The time in a dated name. */
function timeIn(path: string): number | undefined {
  const [, date, hours, minutes, seconds] = /-(\d{8})T(\d\d)(\d\d)(\d\d)Z/.exec(basename(path)) ?? []
  if (date === undefined) return undefined
  const time = Date.parse(`${date.replace(/^(\d{4})(\d\d)/, '$1-$2-')}T${hours}:${minutes}:${seconds}Z`)
  return Number.isNaN(time) ? undefined : time
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
  const folder = dirname(path)
  const names = await readdir(folder).catch(cause => {
    const problem = `its folder ${folder} cannot be read (${cause.code ?? cause})`
    throw new Failure({ kind: 'archive', path, problem }, cause)
  })
  const dated = names.filter(name => isDated(path, name)).map(name => generationAt(join(folder, name)))
  const newest = await generationAt(path)
  // One that says it is newer than the newest was written when the clock was wrong.
  const ageOf = ({ takenAt }: Generation) => (takenAt > (newest?.takenAt ?? Infinity) ? -Infinity : takenAt)
  const earlier = (await Promise.all(dated)).filter(generation => generation !== undefined)
  return [...(newest === undefined ? [] : [newest]), ...earlier.sort((a, b) => ageOf(b) - ageOf(a))]
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
  const takenAt = provenance === undefined ? (timeIn(path) ?? found.mtimeMs) : Date.parse(provenance.takenAt)
  return { path, bytes: found.size, takenAt, provenance, problem }
}

/** Whether this tool wrote the archive, and it is still what was verified then. */
export async function isAsWritten({ path, provenance }: Generation): Promise<boolean> {
  return provenance !== undefined && isSame(await checksumOf(path), provenance.archive)
}
