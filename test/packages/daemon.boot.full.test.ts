import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../lab/cluster.js'
import { ControlPlane } from '../lab/controlPlane.js'
import { isRoot } from '../lab/loopDevice.js'
import type { Machine } from '../lab/machine.js'
import { first } from '../lab/scene.js'
import { BACKUP, hurry, install } from './node.js'

const UNIT = 'etcd-defrag-daemon.service'

describe('the daemon, as its unit starts it on a control-plane node', {
  skip: isRoot ? false : 'booting machines takes root',
  timeout: 300_000,
}, () => {
  let plane: ControlPlane
  let machine: Machine
  before(async () => {
    plane = await ControlPlane.start({ nodes: [{ disk: { type: 'ext4', megabytes: 600 } }] })
    machine = first(plane.nodes).machine
    await install(machine)
    await hurry(machine, 'force-single: true\nschedule: "* * * * *"\n')
    await machine.sh(`systemctl enable --now ${UNIT}`)
  })
  after(() => plane[Symbol.asyncDispose]())
  const statusLine = async () => (await machine.show(UNIT, 'StatusText'))['StatusText'] ?? ''

  test('it says that it is ready, is watched, and its status line names the next run', async () => {
    const shown = await machine.show(UNIT, 'Type', 'ActiveState', 'WatchdogUSec')
    assert.deepEqual(shown, { Type: 'notify', ActiveState: 'active', WatchdogUSec: '5min' })
    await until('the status line is there', async () => /next/.test(await statusLine()))
    assert.match(await machine.sh(`systemctl status ${UNIT}`), /Status: ".*next/)
  })

  test('at the time of its schedule it does the whole job in its sandbox', async () => {
    const ended = async () =>
      (await machine.journal(UNIT)).some(e =>
        /"event":"ended","verdict":"completed"/.test(e['MESSAGE'] ?? ''),
      )
    await until('a run has completed', ended)
    await machine.sh(`xz -t ${BACKUP}`)
    const trims = (await machine.journal(UNIT)).filter(e =>
      /"stepEnded","step":"trim"/.test(e['MESSAGE'] ?? ''),
    )
    assert.match(first(trims)['MESSAGE'] ?? '', /"outcome":"done"/)
    await until('the status line tells of it', async () => /completed/.test(await statusLine()))
  })

  test('a reload reads the configuration again', async () => {
    const later = new Date(Date.now() + 12 * 3_600_000) // so that no run is due meanwhile
    const [, hours = '', minutes = ''] = /T(\d\d):(\d\d)/.exec(later.toISOString()) ?? []
    await hurry(machine, `force-single: true\nschedule: "${Number(minutes)} ${Number(hours)} * * *"\n`)
    await machine.sh(`systemctl reload ${UNIT}`)
    const time = `${hours}:${minutes}`
    await until('the status line has the new time', async () => (await statusLine()).includes(time))
  })

  test('of /run it sees what it needs and no other socket, and its place is that of a run by hand', async () => {
    const { MainPID } = await machine.show(UNIT, 'MainPID')
    const inside = `nsenter --target ${MainPID} --mount --`
    const sockets = await machine.sh(`${inside} find /run -exec test -S {} ';' -print`) // by what is mounted there
    assert.equal(sockets.trim(), '/run/systemd/notify')
    assert.match(await machine.sh('find /run -type s'), /\/run\/systemd\/private/)
    const locks = 'stat -c %d:%i /run/etcd-defrag'
    assert.equal(await machine.sh(`${inside} ${locks}`), await machine.sh(locks))
    assert.notEqual((await machine.execute(['sh', '-c', `${inside} touch /run/own`])).code, 0)
  })

  test('it ends when it is stopped, without a failure', async () => {
    await machine.sh(`systemctl stop ${UNIT}`)
    const shown = await machine.show(UNIT, 'ActiveState', 'Result')
    assert.deepEqual(shown, { ActiveState: 'inactive', Result: 'success' })
  })

  test('started again, it still shows how the last run ended, and begins none', async () => {
    const runs = async () =>
      (await machine.journal(UNIT)).filter(e => /"event":"runStarted"/.test(e['MESSAGE'] ?? '')).length
    const before = await runs()
    await machine.sh(`systemctl start ${UNIT}`)
    await until('the status line tells of it', async () => /last run: completed/.test(await statusLine()))
    assert.equal(await runs(), before)
    const note = JSON.parse(await machine.sh('cat /var/lib/etcd-defrag/daemon.json'))
    // The host's: systemd-nspawn puts another over it, which the unit's own /proc (ProtectProc) does not have.
    assert.match(note.bootId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })
})
