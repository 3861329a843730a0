import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version } from '../lab/packages.js'
import { boot, failedUnits, failOnce, isThere, rpm, rpmCommand, skip, stateOf } from './admin.js'

test('an rpm is installed with the timer at work, verifies, survives a reboot, and goes with its state', {
  skip,
}, async () => {
  await using machine = await boot()
  await rpmCommand(machine, '-i', rpm.now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'disabled, inactive')
  assert.equal(await rpmCommand(machine, '-V', 'etcd-defrag'), '')
  assert.equal(await machine.sh('etcd-defrag --version'), `${version}\n`)
  await machine.reboot()
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
  await machine.sh('etcd-defrag pause --scope node --for 1h; echo old > /root/etcd-backup.xz')
  await machine.sh('echo "backup-keep: 3" >> /etc/etcd-defrag/config.yaml; mkdir -p /run/etcd-defrag')
  await machine.write('/var/lib/etcd-defrag/etcd-backup.xz', 'a backup')
  await machine.sh('systemctl enable --now etcd-defrag-drill.timer')
  await failOnce(machine)
  const said = await rpmCommand(machine, '-e', 'etcd-defrag')
  assert.equal(await failedUnits(machine), '')
  await machine.sh('rm -r /etc/systemd/system/etcd-defrag.service.d')
  assert.match(said, /\/var\/lib\/etcd-defrag stays, .*: etcd-backup\.xz $/m)
  assert.equal(await machine.sh('cat /root/etcd-backup.xz; ls /var/lib/etcd-defrag'), 'old\netcd-backup.xz\n')
  assert.match(await machine.read('/etc/etcd-defrag/config.yaml.rpmsave'), /^backup-keep: 3$/m)
  assert.equal(await isThere(machine, '/usr/lib/etcd-defrag'), false)
  assert.equal(
    await machine.sh('find /etc/systemd /run/etcd-defrag -name "*etcd-defrag*" 2>/dev/null || :'),
    '',
  )
})
