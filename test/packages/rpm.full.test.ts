import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NEWER, version } from '../lab/packages.js'
import { boot, holdLock, isThere, replaceRun, rpm, rpmCommand, skip, stateOf } from './admin.js'

test("an rpm's upgrade and downgrade leave an admin's decisions and configuration alone", {
  skip,
}, async () => {
  await using machine = await boot()
  await rpmCommand(machine, '-i', rpm.now)
  const upgradeAndBack = async (expected: string) => {
    await rpmCommand(machine, '-U', rpm.newer)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
    assert.equal((await machine.sh('etcd-defrag --version')).trim(), NEWER)
    await rpmCommand(machine, '-U', '--oldpackage', rpm.now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), expected)
    const { stdout } = await machine.execute(['rpm', '-V', '--nodeps', 'etcd-defrag'])
    assert.equal(stdout, await changed())
  }
  const changed = async () =>
    /keep: 3/.test(await machine.read('/etc/etcd-defrag/config.yaml'))
      ? 'SM5....T.  c /etc/etcd-defrag/config.yaml\n'
      : ''
  await upgradeAndBack('enabled, active')
  await machine.sh('cd /etc/etcd-defrag; echo "backup-keep: 3" >> config.yaml; chmod 0640 config.yaml')
  await machine.sh(
    'systemctl disable --now etcd-defrag.timer; systemctl enable --now etcd-defrag-drill.timer',
  )
  await upgradeAndBack('disabled, inactive')
  assert.equal(await stateOf(machine, 'etcd-defrag-drill.timer'), 'enabled, active')
  await machine.sh('systemctl mask etcd-defrag.timer')
  await upgradeAndBack('masked, inactive')
  assert.equal(await machine.sh('stat -c %a /etc/etcd-defrag/config.yaml'), '640\n')
})

test("an admin's preset holds for the rpm, also where a distribution disables everything", {
  skip,
}, async () => {
  {
    await using machine = await boot({
      '/etc/systemd/system-preset/20-ours.preset': 'disable etcd-defrag.timer\n',
    })
    await rpmCommand(machine, '-i', rpm.now)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
  }
  // As Fedora and its like have it: what no preset names stays off.
  await using machine = await boot({
    '/usr/lib/systemd/system-preset/99-default-disable.preset': 'disable *\n',
  })
  await rpmCommand(machine, '-i', rpm.now)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
})

test('an upgrade of the rpm in mid-run leaves the run alone, an erasure asks it to end', {
  skip,
}, async () => {
  await using machine = await boot()
  await rpmCommand(machine, '-i', rpm.now)
  const slow = 'trap "sleep 2; echo ended in order; exit 0" TERM; sleep 60 & wait'
  await replaceRun(machine, slow)
  await machine.sh('systemctl daemon-reload; systemctl start --no-block etcd-defrag.service; sleep 1')
  const before = await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState')
  await rpmCommand(machine, '-U', rpm.newer)
  assert.equal(before['ActiveState'], 'activating')
  assert.deepEqual(await machine.show('etcd-defrag.service', 'MainPID', 'ActiveState'), before)
  const said = await rpmCommand(machine, '-e', 'etcd-defrag')
  assert.match(said, /^etcd-defrag: etcd-defrag\.service is at work; it is asked to end/m)
  assert.match(await machine.sh('journalctl -o cat -u etcd-defrag.service'), /^ended in order$/m)
})

test("an erasure names a run that is no unit's, which goes on and keeps its lock", { skip }, async () => {
  await using machine = await boot()
  await rpmCommand(machine, '-i', rpm.now)
  const holder = (await holdLock(machine)).trim()
  const said = await rpmCommand(machine, '-e', 'etcd-defrag')
  assert.match(said, new RegExp(`^etcd-defrag: process ${holder} is in a run`, 'm'))
  assert.match(said, /\/run\/etcd-defrag stays, .*: held\.lock $/m)
  assert.equal(await machine.sh('ls /run/etcd-defrag; systemctl is-active by-hand'), 'held.lock\nactive\n')
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
