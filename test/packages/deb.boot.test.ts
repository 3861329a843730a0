import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version } from '../lab/packages.js'
import { apt, boot, deb, failedUnits, failOnce, isThere, skip, stateOf } from './admin.js'

const units = ['etcd-defrag.timer', 'etcd-defrag-drill.timer'] as const

test('a first installation has the timer at work for the next 02:30, and what it brought runs', {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'disabled, inactive')
  const next = await machine.sh('systemctl list-timers --no-legend etcd-defrag.timer')
  assert.match(next, /02:30:00/)
  assert.equal(await machine.sh('etcd-defrag --version'), `${version}\n`)
  assert.match(await machine.sh('man -w 8 etcd-defrag; man -w 5 etcd-defrag.yaml'), /\.8\.gz\n.*\.5\.gz\n$/)
  assert.match(await machine.sh('dpkg -V etcd-defrag; echo whole'), /^whole$/m)
  await machine.reboot()
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
})

test('a removal ends the timers, an installation after it brings back what was, and a purge forgets it', {
  skip,
}, async () => {
  await using machine = await boot()
  await apt(machine, 'install', deb.now)
  await machine.sh(
    'systemctl disable --now etcd-defrag.timer; systemctl enable --now etcd-defrag-drill.timer',
  )
  await machine.sh('echo "backup-keep: 3" >> /etc/etcd-defrag/config.yaml; echo old > /root/etcd-backup.xz')
  await failOnce(machine)
  await apt(machine, 'remove', 'etcd-defrag')
  assert.equal(await failedUnits(machine), '')
  await machine.sh('rm -r /etc/systemd/system/etcd-defrag.service.d')
  for (const unit of units) assert.match(await stateOf(machine, unit), /inactive$/)
  assert.equal(await isThere(machine, '/usr/lib/etcd-defrag'), false)
  await machine.reboot()
  await apt(machine, 'install', deb.newer)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'enabled, active')
  assert.match(await machine.read('/etc/etcd-defrag/config.yaml'), /^backup-keep: 3$/m)
  await apt(machine, 'purge', 'etcd-defrag')
  for (const path of ['/etc/etcd-defrag', '/var/lib/etcd-defrag', '/run/etcd-defrag'])
    assert.equal(await isThere(machine, path), false, path)
  const left = await machine.sh('find /etc /var/lib/systemd -name "*etcd-defrag*"')
  assert.equal(left, '')
  assert.equal(await machine.read('/root/etcd-backup.xz'), 'old\n')
  await apt(machine, 'install', deb.now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
})
