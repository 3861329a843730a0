import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../lab/cluster.js'
import { isRoot } from '../lab/loopDevice.js'
import { Machine } from '../lab/machine.js'
import { BACKUP, cursorOf, dropIn, install, since, startUnit, type UnitRun, useExample } from './node.js'

/** What systemd-analyze(1) gives. Of what weighs little there, and of what it does not count, units.test.ts sees a loss. */
const exposures = {
  'etcd-defrag.service': 2.4,
  'etcd-defrag-drill.service': 1.6,
  'etcd-defrag-daemon.service': 2.5,
}
const units = [...Object.keys(exposures), 'etcd-defrag.timer', 'etcd-defrag-drill.timer']

describe('the units, on a node that has just got the package and holds no etcd', {
  skip: isRoot ? false : 'booting machines takes root',
  timeout: 300_000,
}, () => {
  let machine: Machine
  before(async () => {
    machine = await Machine.boot()
    await install(machine)
  })
  after(() => machine[Symbol.asyncDispose]())

  const nextOf = async (unit: string) =>
    (await machine.show(unit, 'NextElapseUSecRealtime'))['NextElapseUSecRealtime'] ?? ''

  test('systemd finds no fault with them, manual pages included', async () => {
    const { code, stdout, stderr } = await machine.execute([
      'systemd-analyze',
      'verify',
      '--man=yes',
      ...units,
    ])
    assert.deepEqual([code, stdout, stderr], [0, '', ''])
  })

  for (const [unit, exposure] of Object.entries(exposures))
    test(`${unit} is exposed by ${exposure} and no more`, async () => {
      const shown = await machine.sh(`systemd-analyze security --no-pager ${unit}`)
      const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(shown)?.[1])
      assert.ok(
        level <= exposure + 0.04,
        `${level}:\n${shown
          .split('\n')
          .filter(l => !l.includes('✓'))
          .join('\n')}`,
      )
    })

  test('they stand beside the slices of etcd and of pods, with a tenth of their usual weight', async () => {
    for (const unit of Object.keys(exposures)) {
      const shown = await machine.show(unit, 'Slice', 'CPUWeight', 'IOWeight')
      assert.deepEqual(shown, { Slice: '-.slice', CPUWeight: '10', IOWeight: '10' }, unit)
    }
  })

  test('the timer is on and elapses next at 02:30, the drill is not', async () => {
    assert.match(await nextOf('etcd-defrag.timer'), / 02:30:00 UTC$/)
    assert.equal(
      (await machine.execute(['systemctl', 'is-enabled', 'etcd-defrag-drill.timer'])).stdout,
      'disabled\n',
    )
  })

  test('what the service does is skipped without a failure, and the journal says what was looked for', async () => {
    const run = await startUnit(machine)
    assert.equal(run.code, 0, run.stderr)
    const words = run.journal.map(entry => entry['MESSAGE']).join('\n')
    assert.match(words, /this node holds no etcd: none is configured/)
    assert.match(words, /Skipped due to 'exec-condition'/)
    assert.deepEqual(run.events, [])
    assert.equal(await machine.sh('systemctl list-units --failed --no-legend'), '')
  })

  test('a drill is for a node with a backup: without one there is nothing to do, and an etcd is not asked for', async () => {
    const drill = () => startUnit(machine, 'etcd-defrag-drill.service')
    const wordsOf = ({ journal }: UnitRun) => journal.map(entry => entry['MESSAGE']).join('\n')
    const nothing = await drill()
    assert.equal(nothing.code, 0, nothing.stderr)
    assert.match(wordsOf(nothing), /nothing to drill: there is no backup at \/root\/etcd-backup\.xz/)
    await machine.write(BACKUP, 'none')
    const damaged = await drill()
    assert.notEqual(damaged.code, 0)
    assert.match(wordsOf(damaged), /etcd-backup\.xz/)
    const { ExecMainStatus } = await machine.show('etcd-defrag-drill.service', 'ExecMainStatus')
    assert.equal(ExecMainStatus, '65')
    await machine.sh(`rm ${BACKUP}; systemctl reset-failed etcd-defrag-drill.service`)
  })

  test('an installation that is broken is no reason to skip it either: whichever file is missing, it fails', async () => {
    const folder = '/usr/lib/etcd-defrag/dist/src'
    const files = (await machine.sh(`ls ${folder}`)).split('\n').filter(Boolean)
    const condition = async () =>
      (await machine.execute(['sh', '-c', 'etcd-defrag holds-etcd; test $? -ne 100'])).code
    const needed: string[] = []
    for (const file of files) {
      await machine.sh(`mv ${folder}/${file} /var/tmp/missing`)
      if ((await condition()) === 0) needed.push(file)
      await machine.sh(`mv /var/tmp/missing ${folder}/${file}`)
    }
    assert.ok(needed.includes('main.js') && needed.length > 2, `${needed}`)
    for (const file of needed.filter(name => name !== 'main.js').slice(0, 2)) {
      await machine.sh(`mv ${folder}/${file} /var/tmp/missing`)
      const run = await startUnit(machine)
      await machine.sh(`mv /var/tmp/missing ${folder}/${file}; systemctl reset-failed etcd-defrag.service`)
      assert.notEqual(run.code, 0, file)
      assert.doesNotMatch(run.journal.map(entry => entry['MESSAGE']).join('\n'), /Skipped/, file)
    }
  })

  test('a configuration that is broken is no reason to skip it: the service fails and says so', async () => {
    await machine.write('/etc/etcd-defrag/config.yaml', 'endpoint: x\n')
    const run = await startUnit(machine)
    assert.notEqual(run.code, 0)
    assert.match(run.journal.map(entry => entry['MESSAGE']).join('\n'), /config\.yaml:1: .*endpoints/)
    const { ExecMainStatus } = await machine.show('etcd-defrag.service', 'ExecMainStatus')
    assert.equal(ExecMainStatus, '78')
    await machine.sh('rm /etc/etcd-defrag/config.yaml; systemctl reset-failed etcd-defrag.service')
  })

  test('starting the daemon stops the timer, and starting the timer stops the daemon', async () => {
    const states = async () => {
      const all = ['etcd-defrag.timer', 'etcd-defrag-daemon.service']
      const shown = await Promise.all(all.map(unit => machine.show(unit, 'ActiveState')))
      return shown.map(unit => unit['ActiveState'])
    }
    await machine.sh('systemctl start etcd-defrag-daemon')
    assert.deepEqual(await states(), ['inactive', 'active'])
    await machine.sh('systemctl start etcd-defrag.timer')
    assert.deepEqual(await states(), ['active', 'inactive'])
  })

  test('the example of a delay spreads the timer over the half hour after 02:30', async () => {
    await useExample(machine, 'random-delay.conf')
    assert.match(await nextOf('etcd-defrag.timer'), / 02:(3\d|4\d|5\d):\d\d UTC$|03:00:00/)
    assert.equal(
      (await machine.show('etcd-defrag.timer', 'RandomizedDelayUSec'))['RandomizedDelayUSec'],
      '30min',
    )
    await machine.sh('rm -r /etc/systemd/system/etcd-defrag.timer.d; systemctl daemon-reload')
  })

  test('the timer fires', async () => {
    const cursor = await cursorOf(machine)
    await dropIn(machine, 'etcd-defrag.timer', '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2')
    await until('the timer has fired', async () => {
      const entries = await since(machine, 'etcd-defrag.service', cursor)
      return entries.some(entry => entry['MESSAGE']?.includes('this node holds no etcd'))
    })
    await dropIn(machine, 'etcd-defrag.timer', '')
    const isBack = async () => (await nextOf('etcd-defrag.timer')).endsWith(' 02:30:00 UTC')
    await until('it waits for 02:30 again', isBack)
  })

  test('after a reboot in another time zone it is 02:30 there, and a night that was missed is not made up for', async () => {
    // Of these one is hours away from its 02:30 at any time of the day: 17:30 in UTC, or 06:30 and 07:30.
    const [zone, shown] =
      new Date().getUTCHours() < 12
        ? ['Asia/Tokyo', / 02:30:00 JST$/]
        : ['America/New_York', / 02:30:00 E[SD]T$/]
    await machine.sh(`
      ln -sf /usr/share/zoneinfo/${zone} /etc/localtime
      mkdir -p /var/lib/systemd/timers
      touch -d '3 days ago' /var/lib/systemd/timers/stamp-etcd-defrag.timer`)
    await machine.reboot()
    assert.match(await nextOf('etcd-defrag.timer'), shown)
    assert.deepEqual(await machine.journal('etcd-defrag.service', '-b'), [])
  })

  test('a night whose 02:30 daylight saving skips has no run, and one that has it twice has one', async () => {
    const next = async (from: string) => {
      const calendar = `systemd-analyze calendar --iterations=2 --base-time='${from}' '*-*-* 02:30:00'`
      const shown = await machine.sh(calendar, { env: { TZ: 'Europe/Berlin' } })
      return [...shown.matchAll(/(?:Next elapse|Iter. #\d+): \w+ ([\d-]+ [\d:]+)/g)].map(([, when]) => when)
    }
    assert.deepEqual(await next('2027-03-27 12:00'), ['2027-03-29 02:30:00', '2027-03-30 02:30:00'])
    assert.deepEqual(await next('2027-10-30 12:00'), ['2027-10-31 02:30:00', '2027-11-01 02:30:00'])
  })
})
