import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isRoot } from '../lab/loopDevice.js'
import { Machine } from '../lab/machine.js'
import { NEWER, root, version } from '../lab/packages.js'

const skip = isRoot ? false : 'booting machines takes root'
const now = `/now/etcd-defrag-${version}-1.x86_64.rpm`
const newer = `/newer/etcd-defrag-${NEWER}-1.x86_64.rpm`
const boot = (files: Readonly<Record<string, string>> = {}) =>
  Machine.boot({ layers: [join(root, 'dist/test-packages')], files })
/** rpm knows none of what dpkg installed here, so that dependencies are left out. */
const rpm = (machine: Machine, ...args: readonly string[]) =>
  machine.sh(`rpm ${args.join(' ')} --nodeps 2>&1`)
const stateOf = async (machine: Machine, unit: string): Promise<string> => {
  const enabled = await machine.execute(['systemctl', 'is-enabled', unit])
  const active = await machine.execute(['systemctl', 'is-active', unit])
  return `${enabled.stdout.trim() || 'absent'}, ${active.stdout.trim()}`
}
const isThere = async (machine: Machine, path: string) =>
  (await machine.execute(['test', '-e', path])).code === 0

test('an rpm is installed with the timer at work, verifies, survives a reboot, and goes with its state', {
  skip,
}, async () => {
  await using machine = await boot()
  await rpm(machine, '-i', now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'disabled, inactive')
  assert.equal(await rpm(machine, '-V', 'etcd-defrag'), '')
  assert.equal(await machine.sh('etcd-defrag --version'), `${version}\n`)
  await machine.reboot()
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  await machine.sh('etcd-defrag pause --scope node --for 1h; echo old > /root/etcd-backup.xz')
  await machine.sh('echo "backup-keep: 3" >> /etc/etcd-defrag/config.yaml; mkdir -p /run/etcd-defrag')
  await machine.write('/var/lib/etcd-defrag/etcd-backup.xz', 'a backup')
  await machine.sh('systemctl enable --now etcd-defrag-drill.timer')
  const said = await rpm(machine, '-e', 'etcd-defrag')
  assert.match(said, /\/var\/lib\/etcd-defrag stays, .*: etcd-backup\.xz $/m)
  assert.equal(await machine.sh('cat /root/etcd-backup.xz; ls /var/lib/etcd-defrag'), 'old\netcd-backup.xz\n')
  assert.match(await machine.read('/etc/etcd-defrag/config.yaml.rpmsave'), /^backup-keep: 3$/m)
  assert.equal(await isThere(machine, '/usr/lib/etcd-defrag'), false)
  assert.equal(
    await machine.sh('find /etc/systemd /run/etcd-defrag -name "*etcd-defrag*" 2>/dev/null || :'),
    '',
  )
})

test("an rpm's upgrade and downgrade leave an admin's decisions and configuration alone", {
  skip,
}, async () => {
  await using machine = await boot()
  await rpm(machine, '-i', now)
  const upgradeAndBack = async (expected: string) => {
    await rpm(machine, '-U', newer)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
    assert.equal((await machine.sh('etcd-defrag --version')).trim(), NEWER)
    await rpm(machine, '-U', '--oldpackage', now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
    const { stdout } = await machine.execute(['rpm', '-V', '--nodeps', 'etcd-defrag'])
    assert.equal(stdout, await changed())
  }
  const changed = async () =>
    /keep: 3/.test(await machine.read('/etc/etcd-defrag/config.yaml'))
      ? 'S.5....T.  c /etc/etcd-defrag/config.yaml\n'
      : ''
  await upgradeAndBack('enabled, active')
  await machine.sh('echo "backup-keep: 3" >> /etc/etcd-defrag/config.yaml')
  await machine.sh(
    'systemctl disable --now etcd-defrag.timer; systemctl enable --now etcd-defrag-drill.timer',
  )
  await upgradeAndBack('disabled, inactive')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'enabled, active')
  await machine.sh('systemctl mask etcd-defrag.timer')
  await upgradeAndBack('masked, inactive')
})

test("an admin's preset holds for the rpm, also where a distribution disables everything", {
  skip,
}, async () => {
  {
    await using machine = await boot({
      '/etc/systemd/system-preset/20-ours.preset': 'disable etcd-defrag.timer\n',
    })
    await rpm(machine, '-i', now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
  }
  // As Fedora and its like have it: what no preset names stays off.
  await using machine = await boot({
    '/usr/lib/systemd/system-preset/99-default-disable.preset': 'disable *\n',
  })
  await rpm(machine, '-i', now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
})

test('an upgrade of the rpm in mid-run leaves the run alone, an erasure asks it to end', {
  skip,
}, async () => {
  await using machine = await boot()
  await rpm(machine, '-i', now)
  const slow = 'trap "sleep 2; echo ended in order; exit 0" TERM; sleep 60 & wait'
  await machine.write(
    '/etc/systemd/system/etcd-defrag.service.d/slow.conf',
    `[Unit]\nConditionPathExists=\n[Service]\nExecCondition=\nExecStart=\nExecStart=sh -c '${slow}'\n`,
  )
  await machine.sh('systemctl daemon-reload; systemctl start --no-block etcd-defrag.service; sleep 1')
  const before = await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState')
  await rpm(machine, '-U', newer)
  assert.equal(before['ActiveState'], 'activating')
  assert.deepEqual(await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState'), before)
  const said = await rpm(machine, '-e', 'etcd-defrag')
  assert.match(said, /^etcd-defrag: etcd-defrag\.service is at work; it is asked to end/m)
  assert.match(await machine.sh('journalctl -o cat -u etcd-defrag.service'), /^ended in order$/m)
})

test('an rpm for another processor is refused before any file is there', { skip }, async () => {
  await using machine = await boot()
  const foreign = `/now/etcd-defrag-${version}-1.aarch64.rpm`
  const refused = await machine.execute(['rpm', '-i', '--nodeps', foreign])
  assert.match(refused.stderr, /intended for a different architecture/)
  const forced = await machine.execute(['rpm', '-i', '--nodeps', '--ignorearch', foreign])
  assert.notEqual(forced.code, 0)
  assert.match(forced.stderr, /^etcd-defrag: this package is for aarch64, and this machine is x86_64: /m)
  assert.equal(await isThere(machine, '/usr/lib/etcd-defrag'), false)
})
