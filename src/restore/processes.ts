import { readdir, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'

export const processIds = async (): Promise<readonly string[]> =>
  (await readdir('/proc')).filter(id => /^\d+$/.test(id))

/** A process by its id and name, and who starts it again when it is ended. */
export type Process = Readonly<{
  id: string
  name: string
  keeper: 'kubelet' | 'systemd' | 'nobody'
  unit: string
}>

export async function describeProcess(id: string): Promise<Process> {
  const [name, cgroup] = await Promise.all(
    ['comm', 'cgroup'].map(file => readFile(`/proc/${id}/${file}`, 'utf8').catch(() => '')), // it has ended
  )
  const [, unit = ''] = /\/([^/\n]+\.service)$/m.exec(cgroup ?? '') ?? []
  const isPod = /kubepods|\/pod[0-9a-f-]{36}/.test(cgroup ?? '')
  const isEtcd = /etcd|k3s|rke2/.test(unit)
  return {
    id,
    name: (name ?? '').trim() || 'unknown',
    keeper: isPod ? 'kubelet' : isEtcd ? 'systemd' : 'nobody',
    unit,
  }
}

/** Files by identity: in another mount namespace the same file has another path. */
export const identityOf = ({ dev, ino }: Readonly<{ dev: bigint; ino: bigint }>): string => `${dev}:${ino}`

/** The processes that have one of the files open. What belongs to others is only seen by root. */
export async function holdersOf(files: ReadonlySet<string>): Promise<readonly string[]> {
  const holders: string[] = []
  for (const id of await processIds()) {
    const open = await readdir(`/proc/${id}/fd`).catch(() => []) // it has ended, or is not ours to see
    for (const descriptor of open) {
      const found = await stat(`/proc/${id}/fd/${descriptor}`, { bigint: true }).catch(() => undefined)
      if (found === undefined || !files.has(identityOf(found))) continue
      holders.push(id)
      break
    }
  }
  return holders
}

/** The processes named etcd whose --data-dir, seen from where they are, is that folder. */
export async function startedOn(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const id of await processIds()) {
    const line = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    const words = line.split('\0')
    if (basename(words[0] ?? '') !== 'etcd') continue
    const at = words.findIndex(word => /^--?data-dir(=|$)/.test(word))
    const value = words[at]?.split('=')[1] ?? words[at + 1]
    if (at < 0 || value === undefined) continue
    const inside = value.startsWith('/') ? `/proc/${id}/root${value}` : `/proc/${id}/cwd/${value}`
    const dir = await stat(inside, { bigint: true }).catch(() => undefined)
    if (dir !== undefined && identityOf(dir) === folder) found.push(id)
  }
  return found
}
