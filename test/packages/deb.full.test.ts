import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Machine } from '../lab/machine.js'
import { NEWER, version } from '../lab/packages.js'
import { apt, boot, deb, holdLock, isThere, replaceRun, skip, stateOf } from './admin.js'

/** Takes connections and answers nothing, so that a run waits for as long as it is there. */
const silentEtcd = (machine: Machine) => {
  const server = "require('net').createServer(() => {}).listen(2379, '127.0.0.1')"
  return machine.sh(
    `systemd-run --unit=silent /usr/lib/etcd-defrag/node -e ${JSON.stringify(server)}; sleep 1`,
  )
}
const patient = ['ETCD_DEFRAG_DIAL_TIMEOUT=10m', 'ETCD_DEFRAG_COMMAND_TIMEOUT=10m']

test("an admin's disable, stop and mask survive upgrade and downgrade, and a timer at work stays so", {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  const upgradeAndBack = async (expected: string) => {
    await apt(machine, 'install', deb.newer)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
    assert.equal((await machine.sh('etcd-defrag --version')).trim(), NEWER)
    await apt(machine, 'install', '--allow-downgrades', deb.now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
  }
  await upgradeAndBack('enabled, active')
  await machine.sh('systemctl stop etcd-defrag.timer')
  await upgradeAndBack('enabled, inactive')
  await machine.sh('systemctl disable etcd-defrag.timer; systemctl enable --now etcd-defrag-drill.timer')
  await upgradeAndBack('disabled, inactive')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'enabled, active')
  await machine.sh('systemctl mask etcd-defrag.timer')
  await upgradeAndBack('masked, inactive')
})

test('a purge removes no backup, nor anything else that is not its own, from its own folders', {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  await machine.sh('etcd-defrag pause --scope node --for 1h')
  assert.ok(await isThere(machine, '/var/lib/etcd-defrag/pause.json'))
  await machine.write('/var/lib/etcd-defrag/etcd-backup.xz', 'a backup')
  await machine.write('/etc/etcd-defrag/password', 'secret')
  const said = await apt(machine, 'purge', 'etcd-defrag')
  assert.match(said, /\/var\/lib\/etcd-defrag stays, .*: etcd-backup\.xz $/m)
  assert.match(said, /\/etc\/etcd-defrag stays, .*: password $/m)
  assert.equal(await machine.sh('cd /var/lib/etcd-defrag; ls -A; cat *'), 'etcd-backup.xz\na backup')
})

test('policy-rc.d keeps the timer from being started, a preset from being enabled', { skip }, async () => {
  {
    await using machine = await boot()
    await machine.write('/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', '0755')
    await apt(machine, 'install', deb.now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, inactive')
  }
  const presets = 'disable etcd-defrag.timer\nenable etcd-defrag-drill.timer\n'
  await using machine = await boot({ '/etc/systemd/system-preset/20-ours.preset': presets })
  await apt(machine, 'install', deb.now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'enabled, active')
  await apt(machine, 'install', deb.newer)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
})

test('where no systemd runs it is enabled and not started, with systemctl and without', {
  skip,
}, async () => {
  for (const without of ['', 'mv /usr/bin/systemctl /usr/bin/systemctl.away;']) {
    await using machine = await boot()
    // As an image is built: the root file system, without what is mounted over it.
    await machine.sh(`${without} mkdir /image; mount --bind / /image; mount -t proc proc /image/proc`)
    await machine.sh(`chroot /image apt-get -qy install ${deb.now} 2>&1`)
    if (without) await machine.sh('mv /usr/bin/systemctl.away /usr/bin/systemctl')
    await machine.sh('umount /image/proc /image; systemctl daemon-reload')
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, inactive')
    await machine.reboot()
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  }
})

test('an upgrade in mid-run lets the run end by itself, and its report comes from files that are gone', {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  await silentEtcd(machine)
  await machine.write(
    '/etc/systemd/system/etcd-defrag.service.d/slow.conf',
    `[Service]\nExecCondition=\nEnvironment=${patient.join(' ')} ETCD_DEFRAG_OUTPUT=json\n`,
  )
  await machine.sh('systemctl daemon-reload; systemctl start --no-block etcd-defrag.service; sleep 2')
  const before = await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState')
  assert.equal(before['ActiveState'], 'activating')
  await apt(machine, 'install', deb.newer)
  const during = await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState')
  assert.deepEqual(during, before)
  await machine.sh('systemctl stop silent')
  await machine.sh('while systemctl is-active etcd-defrag.service | grep -q activating; do sleep 0.2; done')
  const after = await machine.show('etcd-defrag.service', 'Result', 'ExecMainStatus')
  assert.deepEqual(after, { Result: 'exit-code', ExecMainStatus: '69' })
  const journal = await machine.sh('journalctl -o cat -u etcd-defrag.service')
  assert.match(journal, /^ {2}"verdict": "failed",$/m)
  assert.match(journal, /cannot be reached/)
})

test('a removal in mid-run asks the run to end, waits for it and says so', { skip }, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  const slow = 'trap "sleep 3; echo ended in order; exit 0" TERM; sleep 60 & wait'
  await replaceRun(machine, slow)
  await machine.sh('systemctl daemon-reload; systemctl start --no-block etcd-defrag.service; sleep 1')
  const said = await apt(machine, 'remove', 'etcd-defrag')
  assert.match(said, /^etcd-defrag: etcd-defrag\.service is at work; it is asked to end/m)
  assert.match(await machine.sh('journalctl -o cat -u etcd-defrag.service'), /^ended in order$/m)
  assert.equal((await machine.show('etcd-defrag.service', 'ActiveState'))['ActiveState'], 'inactive')
})

test("an admin's mode of the configuration, which others may not read at first, survives an upgrade", {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  const mode = () => machine.sh('stat -c %a /etc/etcd-defrag/config.yaml')
  assert.equal(await mode(), '600\n')
  await machine.sh('chmod 0640 /etc/etcd-defrag/config.yaml')
  await apt(machine, 'install', deb.newer)
  assert.equal(await mode(), '640\n')
})

test("a removal names a run that is no unit's, which goes on, and a purge leaves it its lock", {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  const holder = (await holdLock(machine)).trim()
  const said = await apt(machine, 'remove', 'etcd-defrag')
  assert.match(
    said,
    new RegExp(`^etcd-defrag: process ${holder} is in a run that was not started by a unit`, 'm'),
  )
  assert.match(await apt(machine, 'purge', 'etcd-defrag'), /\/run\/etcd-defrag stays, .*: held\.lock $/m)
  assert.equal(await machine.sh('ls /run/etcd-defrag'), 'held.lock\n')
  assert.equal(await machine.sh('systemctl is-active by-hand'), 'active\n')
})

test('another processor is refused before any file is there, also where dpkg is told to go on', {
  skip,
}, async () => {
  await using machine = await boot()
  const foreign = `/now/etcd-defrag_${version}_arm64.deb`
  const refused = await machine.execute(['dpkg', '-i', foreign])
  assert.match(refused.stderr, /package architecture \(arm64\) does not match system \(amd64\)/)
  const forced = await machine.execute(['dpkg', '-i', '--force-architecture', '--force-depends', foreign])
  assert.notEqual(forced.code, 0)
  assert.match(
    forced.stderr,
    /^etcd-defrag: this package is for aarch64, and this machine is x86_64: .*nothing was installed$/m,
  )
  assert.equal(await isThere(machine, '/usr/lib/etcd-defrag'), false)
})
