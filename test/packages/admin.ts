import { join } from 'node:path'
import { isRoot } from '../lab/loopDevice.js'
import { Machine } from '../lab/machine.js'
import { NEWER, root, version } from '../lab/packages.js'

export const skip = isRoot ? false : 'booting machines takes root'
export const deb = {
  now: `/now/etcd-defrag_${version}_amd64.deb`,
  newer: `/newer/etcd-defrag_${NEWER}_amd64.deb`,
} as const
export const rpm = {
  now: `/now/etcd-defrag-${version}-1.x86_64.rpm`,
  newer: `/newer/etcd-defrag-${NEWER}-1.x86_64.rpm`,
} as const

/** A machine that has the packages as files. */
export const boot = (files: Readonly<Record<string, string>> = {}): Promise<Machine> =>
  Machine.boot({ layers: [join(root, 'dist/test-packages')], files })

/** As an admin calls them, and what they said. */
export const apt = (machine: Machine, ...args: readonly string[]): Promise<string> =>
  machine.sh(`apt-get -qy ${args.join(' ')} 2>&1`, { env: { DEBIAN_FRONTEND: 'noninteractive' } })
/** rpm knows none of what dpkg installed here, so that dependencies are left out. */
export const rpmCommand = (machine: Machine, ...args: readonly string[]): Promise<string> =>
  machine.sh(`rpm ${args.join(' ')} --nodeps 2>&1`)

/** Such as `enabled, active`. */
export async function stateOf(machine: Machine, unit: string): Promise<string> {
  const enabled = await machine.execute(['systemctl', 'is-enabled', unit])
  const active = await machine.execute(['systemctl', 'is-active', unit])
  return `${enabled.stdout.trim() || 'absent'}, ${active.stdout.trim()}`
}

export const isThere = async (machine: Machine, path: string): Promise<boolean> =>
  (await machine.execute(['test', '-e', path])).code === 0

/** A run that failed, as systemd remembers it. */
export async function failOnce(machine: Machine): Promise<void> {
  await replaceRun(machine, 'exit 76')
  await machine.sh('systemctl daemon-reload; systemctl start etcd-defrag || :')
  if ((await failedUnits(machine)) === '') throw new Error('the run did not fail')
}

export const failedUnits = (machine: Machine): Promise<string> =>
  machine.sh("systemctl list-units --failed --no-legend 'etcd-defrag*'")

/** Has the service run a shell's words instead, on a node without etcd too. */
export const replaceRun = (machine: Machine, words: string): Promise<void> =>
  machine.write(
    '/etc/systemd/system/etcd-defrag.service.d/slow.conf',
    `[Service]\nExecCondition=\nExecStart=\nExecStart=sh -c '${words}'\n`,
  )

/** What a run by hand leaves on the host while it is at work (src/system/hostLock.ts), beside the lock of one that was killed. */
export const holdLock = (machine: Machine): Promise<string> =>
  machine.sh(`mkdir -p /run/etcd-defrag; cd /run/etcd-defrag; echo 1 > killed.lock
    systemd-run --quiet --unit=by-hand flock /run/etcd-defrag/held.lock \
      sh -c 'echo "$$$$" > /run/etcd-defrag/held.lock; exec sleep 1000'
    until [ -s held.lock ]; do sleep 0.1; done; cat held.lock`)
