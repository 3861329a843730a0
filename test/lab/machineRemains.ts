import { existsSync } from 'node:fs'
import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './cluster.js'

/** Removes what machines left whose lab was killed; their names hold the lab's process. */
export async function sweep(): Promise<void> {
  const isOrphan = (name: string) => {
    const owner = /^etcd-machine-(\d+)-/.exec(name)?.[1]
    return owner !== undefined && !existsSync(`/proc/${owner}`)
  }
  const groups = (await Promise.all((await hierarchies()).map(folder => readdir(folder)))).flat()
  for (const name of new Set(groups.filter(isOrphan))) await endControlGroups(name)
  for (const name of (await readdir(tmpdir())).filter(isOrphan))
    await rm(join(tmpdir(), name), { recursive: true, force: true })
}

/** Ends whatever is still in the control groups of that name, and removes them. */
export async function endControlGroups(name: string): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const group = join(hierarchy, name)
    // Of version 2 only, and processes are in both (cgroups(7), "cgroup.kill").
    if (existsSync(join(group, 'cgroup.kill'))) await writeFile(join(group, 'cgroup.kill'), '1')
    await until(`${group} is gone`, () =>
      removeGroups(group).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EBUSY') return false // its last process is still ending
          throw error
        },
      ),
    )
  }
}

async function removeGroups(group: string): Promise<void> {
  const gone = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error // systemd-nspawn was faster
  }
  const entries = await readdir(group, { withFileTypes: true }).catch(error => gone(error) ?? [])
  for (const entry of entries) if (entry.isDirectory()) await removeGroups(join(group, entry.name))
  await rmdir(group).catch(gone)
}

/** Where systemd-nspawn makes control groups. */
async function hierarchies(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' '))
  return mounts.flatMap(([, folder = '', type, options = '']) =>
    type === 'cgroup2' || (type === 'cgroup' && options.includes('name=systemd')) ? [folder] : [],
  )
}
