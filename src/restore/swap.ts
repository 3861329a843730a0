import type { Stats } from 'node:fs'
import { chmod, lchown, lstat, open, readdir, readFile, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../model/fault.js'
import { shellLine } from './shell.js'

type Owner = Readonly<{ uid: number; gid: number }>

/** Where the restored data goes, as it is now. */
export type Target = Readonly<{
  dataDir: string
  /**
   * `folder` is renamed as a whole. A mount point cannot be (rename(2), EBUSY), so there it is the folder `member`
   * inside, which is all that etcd keeps in its data directory.
   */
  kind: 'nothing' | 'folder' | 'mount'
  /** On the same file system, and where our own folder is made. */
  parent: string
  owner: Owner
  mode: number
  notes: readonly string[]
}>

/** Throws a `refused` fault where no data directory can be put. */
export async function inspectTarget(dataDir: string): Promise<Target> {
  const refuse = (problem: string, cause?: unknown) =>
    new Failure({ kind: 'refused', check: 'dataDir', problem: `--data-dir ${dataDir}: ${problem}` }, cause)
  const parent = dirname(dataDir)
  if (parent === dataDir) throw refuse('is the root of all files')
  const above = await stat(parent).catch(cause => {
    throw refuse(`its folder ${parent} cannot be used (${cause.code ?? cause}); create it`, cause)
  })
  if (!above.isDirectory()) throw refuse(`${parent} is not a folder`)
  const there = await lstat(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw refuse(`cannot be looked at (${error.code})`, error)
  })
  const own = (await stat('/proc/self')).uid
  const like = (old: Stats) => {
    if (own !== 0 && old.uid !== own)
      throw refuse(`belongs to user ${old.uid}, and only root can give it back to them; run as root`)
    return { owner: { uid: old.uid, gid: old.gid }, mode: modeOf(old) }
  }
  if (there === undefined) {
    const aside = await newestAside(dataDir)
    const at = { dataDir, kind: 'nothing', parent } as const
    if (aside !== undefined) return { ...at, ...like(aside.stats), notes: [takenFrom(dataDir, aside.path)] }
    const gid = (await stat('/proc/self')).gid
    return { ...at, owner: { uid: own, gid }, mode: 0o700, notes: [] }
  }
  if (there.isSymbolicLink()) throw refuse('is a symbolic link; name the folder that it leads to')
  if (!there.isDirectory()) throw refuse('is a file, and should be a folder or nothing')
  const names = await readdir(dataDir).catch(cause => {
    throw refuse(`cannot be read (${cause.code ?? cause}); run as root`, cause)
  })
  if (names.includes('member')) await refuseForeignLog(join(dataDir, 'member'), refuse)
  else if (names.some(name => !isExpected(name)))
    throw refuse(
      `holds ${names
        .filter(name => !isExpected(name))
        .slice(0, 3)
        .join(', ')} and no folder member, so it is no data directory of etcd; name another`,
    )
  const isMount = await isMountPoint(dataDir)
  if (!isMount) return { dataDir, kind: 'folder', parent, ...like(there), notes: [] }
  const at = { dataDir, kind: 'mount', parent: dataDir } as const
  const member = join(dataDir, 'member')
  if (names.includes('member')) {
    const old = await lstat(member)
    if (!old.isDirectory()) throw refuse('its member is no folder')
    return { ...at, ...like(old), notes: [] }
  }
  const aside = await newestAside(member)
  if (aside === undefined) return { ...at, ...like(there), notes: [] }
  return { ...at, ...like(aside.stats), notes: [takenFrom(member, aside.path)] }
}

/** What a restore set aside there, and was killed before it put anything in its place. */
async function newestAside(place: string): Promise<Readonly<{ path: string; stats: Stats }> | undefined> {
  const names = (await readdir(dirname(place))).filter(name => name.startsWith(`${basename(place)}${ASIDE}`))
  for (const name of names.toSorted().toReversed()) {
    const path = join(dirname(place), name)
    const stats = await lstat(path)
    if (stats.isDirectory()) return { path, stats }
  }
  return undefined
}

const ASIDE = '.before-restore-'
const takenFrom = (place: string, aside: string): string =>
  `${place} was not there, as after a restore that was killed; owner and mode are those of ${aside}`

/** What may lie in an empty disk, or in a data directory whose data was set aside. */
const isExpected = (name: string): boolean => /^(lost\+found|\..*|member\..*)$/.test(name)

async function refuseForeignLog(member: string, refuse: (problem: string) => Failure): Promise<void> {
  const names = await readdir(member)
  if (names.includes('snap') && !names.includes('wal'))
    throw refuse(
      'its write-ahead log is elsewhere (--wal-dir of etcd), and a restored database does not go with it; restore into a new folder, and start etcd without --wal-dir',
    )
}

/** proc(5), mountinfo: the fifth field, with blanks and the like in octal. */
async function isMountPoint(folder: string): Promise<boolean> {
  const [here, above] = [await stat(folder), await stat(dirname(folder))]
  if (here.dev !== above.dev) return true
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  return lines
    .map(line => line.split(' ')[4] ?? '')
    .map(field =>
      field.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
    )
    .includes(folder)
}

const modeOf = ({ mode }: Stats): number => mode & 0o7777

/**
 * Gives all below `folder` to the owner alone and puts it on the disk; `mode` is that of the folder itself. etcd leaves
 * it to the umask who else may read some of its files. Safe as root in a folder that only we can enter: no name in it
 * is anybody else's to change, even when the file is theirs by now.
 */
export async function settle(folder: string, { owner, mode }: Target): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.map(entry => join(entry.parentPath, entry.name))
  for (const path of [...paths.toReversed(), folder]) {
    await lchown(path, owner.uid, owner.gid)
    await chmod(path, path === folder ? mode : (await stat(path)).mode & 0o7700)
    await sync(path)
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

export type Swapped = Readonly<{
  /** Where the old data is now; undefined where there was none. */
  aside: string | undefined
  warnings: readonly string[]
}>

/** The old data was set aside, and neither the new nor the old could be put in its place. */
export class HalfSwapped extends Failure {}

/**
 * Puts `fresh`, a whole data directory, in the place of the old data, which is kept under another name. Throws with
 * everything as it was, or `HalfSwapped`. rename(2) follows no link in the last part of a path.
 */
export async function swapIn(
  fresh: string,
  target: Target,
  at: Date,
  move: typeof rename = rename,
): Promise<Swapped> {
  const isMount = target.kind === 'mount'
  const place = isMount ? join(target.dataDir, 'member') : target.dataDir
  const made = isMount ? join(fresh, 'member') : fresh
  const isThere = await exists(place)
  const aside = isThere ? await freeName(`${place}${ASIDE}${stamp(at)}`) : undefined
  if (aside !== undefined) await move(place, aside)
  try {
    await move(made, place)
  } catch (error) {
    if (aside !== undefined)
      await move(aside, place).catch(again => {
        const problem = `nothing is at ${place} now: the restored data could not be put there (${error}), and the old data not be put back (${again}); it is whole in ${aside}. Put it back with: ${shellLine(['mv', '-T', aside, place])}`
        throw new HalfSwapped({ kind: 'restore', problem }, error)
      })
    throw error
  }
  const warnings = await sync(dirname(place)).then(
    () => [],
    error => [
      `${place} is in place, but its folder could not be synced (${error}): run sync before anything else`,
    ],
  )
  return { aside, warnings }
}

const stamp = (at: Date): string => at.toISOString().replaceAll(/[-:]|\.\d+/g, '')

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

/** rename(2) takes the place of an empty folder without a word. */
async function freeName(wanted: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`
    if (!(await exists(name))) return join(dirname(name), basename(name))
  }
}
