import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Machine } from '../lab/machine.js'
import { version } from '../lab/packages.js'
import { boot, deb, rpm, skip, stateOf } from './admin.js'

const SCRIPT = '/root/etcd-defrag.sh'
const ETC = '/etc/systemd/system'
/** The script that the package replaces, as it is installed by hand, with units of the same names. */
const byHand = {
  [SCRIPT]: '#!/bin/sh\necho the script ran\n',
  [`${ETC}/etcd-defrag.service`]: `[Service]\nType=oneshot\nExecStart=/bin/sh ${SCRIPT}\n`,
  [`${ETC}/etcd-defrag.timer`]: '[Timer]\nOnCalendar=*-*-* 01:00:00\n[Install]\nWantedBy=timers.target\n',
  '/etc/cron.d/etcd': `0 1 * * * root ${SCRIPT}\n`,
}
const install = {
  deb: (which: 'now' | 'newer') => `apt-get -qy install ${deb[which]}`,
  rpm: (which: 'now' | 'newer') => `rpm -U --nodeps ${rpm[which]}`,
} as const
const again = {
  deb: `apt-get -qy --reinstall install ${deb.newer}`,
  rpm: `rpm -U --replacepkgs --nodeps ${rpm.newer}`,
} as const
const remove = { deb: 'apt-get -qy purge etcd-defrag', rpm: 'rpm -e etcd-defrag' } as const

/** The commands that were printed for the operator. */
const commandsIn = (said: string) =>
  said
    .split('\n')
    .filter(line => line.startsWith('    '))
    .map(line => line.trim())

for (const format of ['deb', 'rpm'] as const)
  test(`${format}: an installation by hand is named at install and upgrade and not touched, and the commands that are said retire it`, {
    skip,
  }, async () => {
    await using machine = await boot(byHand)
    await machine.sh('systemctl enable --now etcd-defrag.timer')
    const first = await machine.sh(`${install[format]('now')} 2>&1`)
    const second = await machine.sh(`${install[format]('newer')} 2>&1`)
    for (const said of [first, second]) {
      assert.match(said, /units of an earlier installation go before those of this package/)
      assert.match(said, /\/etc\/cron\.d\/etcd still runs etcd-defrag\.sh/)
    }
    for (const [path, content] of Object.entries(byHand)) assert.equal(await machine.read(path), content)
    const earlier = await machine.show('etcd-defrag.timer', 'ActiveState', 'FragmentPath')
    assert.deepEqual(earlier, { ActiveState: 'active', FragmentPath: `${ETC}/etcd-defrag.timer` })

    const commands = commandsIn(second)
    assert.ok(commands.includes(`rm ${SCRIPT}`), second)
    await machine.sh(commands.join('\n'))
    await machine.sh('rm /etc/cron.d/etcd')
    const now = await machine.show('etcd-defrag.timer', 'ActiveState', 'FragmentPath', 'UnitFileState')
    const path = '/usr/lib/systemd/system/etcd-defrag.timer'
    assert.deepEqual(
      { ...now, FragmentPath: now['FragmentPath']?.replace(/^\/lib/, '/usr/lib') },
      { ActiveState: 'active', FragmentPath: path, UnitFileState: 'enabled' },
    )
    const quiet = await machine.sh(`${again[format]} 2>&1`)
    assert.doesNotMatch(quiet, /^etcd-defrag: /m)
  })

for (const format of ['deb', 'rpm'] as const)
  test(`${format}: a timer of an installation by hand that is off is not switched on, and one that is on outlives the package`, {
    skip,
  }, async () => {
    await using machine = await boot(byHand)
    await machine.sh(install[format]('now'))
    const off = await machine.show('etcd-defrag.timer', 'ActiveState', 'UnitFileState')
    assert.deepEqual(off, { ActiveState: 'inactive', UnitFileState: 'disabled' })
    await machine.sh('systemctl enable --now etcd-defrag.timer')
    await machine.sh(install[format]('newer'))
    await machine.sh(remove[format])
    const on = await machine.show('etcd-defrag.timer', 'ActiveState', 'UnitFileState')
    assert.deepEqual(on, { ActiveState: 'active', UnitFileState: 'enabled' })
  })

test('the units of an installation with npm are named, and its copy, and the commands retire both', {
  skip,
}, async () => {
  const npm = '/usr/lib/node_modules/etcd-defrag/dist/src/main.js'
  await using machine = await boot({
    [npm]: 'installed by npm\n',
    [`${ETC}/etcd-defrag.service`]: '[Service]\nType=oneshot\nExecStart=/usr/bin/etcd-defrag run\n',
    [`${ETC}/etcd-defrag.timer`]: '[Timer]\nOnCalendar=*-*-* 02:30:00\n[Install]\nWantedBy=timers.target\n',
  })
  await machine.sh(
    'ln -s ../lib/node_modules/etcd-defrag/dist/src/main.js /usr/bin/etcd-defrag; systemctl enable --now etcd-defrag.timer',
  )
  const said = await machine.sh(`${install.deb('now')} 2>&1`)
  await machine.sh(commandsIn(said).join('\n'))
  assert.equal(await machine.sh('etcd-defrag --version'), `${version}\n`)
  assert.equal((await machine.execute(['test', '-e', '/usr/lib/node_modules/etcd-defrag'])).code, 1)
  assert.equal((await machine.show('etcd-defrag.timer', 'ActiveState'))['ActiveState'], 'active')
})

/** As an admin changes a unit, with an editor that runs sed(1). It edits on a terminal only. */
async function editFull(machine: Machine, unit: string, change: string): Promise<void> {
  await machine.write('/var/tmp/change', `${change}\n`)
  await machine.write(
    '/var/tmp/editor',
    '#!/bin/sh\nfor last; do :; done\nsed -i -f /var/tmp/change "$last"\n',
    '0755',
  )
  await machine.sh(`SYSTEMD_EDITOR=/var/tmp/editor script -qec 'systemctl edit --full ${unit}' /dev/null`)
}
const removal = { deb: 'apt-get -qy remove etcd-defrag', rpm: 'rpm -e etcd-defrag' } as const

for (const format of ['deb', 'rpm'] as const)
  test(`${format}: units that an admin edited in full are those of the package: kept, not told of, and ended with it`, {
    skip,
  }, async () => {
    await using machine = await boot()
    await machine.sh(install[format]('now'))
    await editFull(machine, 'etcd-defrag.timer', 's/02:30/03:45/')
    const slow = `trap "sleep 2; echo ended in order; exit 0" TERM; sleep 60 \\& wait; /usr/bin/etcd-defrag run`
    await editFull(
      machine,
      'etcd-defrag.service',
      `s,^ExecStart=.*,ExecStart=sh -c '${slow}',; /^ExecCondition=/d`,
    )
    const quiet = await machine.sh(`${install[format]('newer')} 2>&1`)
    assert.doesNotMatch(quiet, /^etcd-defrag: /m)
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
    assert.match(await machine.sh('systemctl list-timers --no-legend etcd-defrag.timer'), /03:45:00/)

    await machine.sh('systemctl start --no-block etcd-defrag.service; sleep 1')
    const said = await machine.sh(`${removal[format]} 2>&1`)
    assert.match(said, /^etcd-defrag: etcd-defrag\.service is at work; it is asked to end/m)
    assert.match(await machine.sh('journalctl -o cat -u etcd-defrag.service'), /^ended in order$/m)
    assert.equal(await stateOf(machine, 'etcd-defrag.service'), 'static, inactive')
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
    await machine.reboot()
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')

    await machine.sh(install[format]('now'))
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
    assert.match(await machine.sh('systemctl list-timers --no-legend etcd-defrag.timer'), /03:45:00/)
  })

test('an edited timer that was disabled stays so when the package is removed and installed again', {
  skip,
}, async () => {
  await using machine = await boot()
  await machine.sh(install.deb('now'))
  await editFull(machine, 'etcd-defrag.timer', 's/02:30/03:45/')
  await machine.sh('systemctl disable --now etcd-defrag.timer')
  await machine.sh(removal.deb)
  await machine.sh(install.deb('now'))
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
})

test('a timer of the same name that starts a service of another name is an earlier one', {
  skip,
}, async () => {
  await using machine = await boot({
    [`${ETC}/etcd-maintenance.service`]: `[Service]\nType=oneshot\nExecStart=/bin/sh ${SCRIPT}\n`,
    [`${ETC}/etcd-defrag.timer`]:
      '[Timer]\nOnCalendar=*-*-* 01:00:00\nUnit=etcd-maintenance.service\n[Install]\nWantedBy=timers.target\n',
  })
  const said = await machine.sh(`${install.deb('now')} 2>&1`)
  assert.match(said, /^etcd-defrag: {3}\/etc\/systemd\/system\/etcd-defrag\.timer$/m)
  assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'disabled, inactive')
})
