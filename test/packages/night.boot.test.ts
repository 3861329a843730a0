import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../lab/cluster.js'
import { ControlPlane, type PlaneNode } from '../lab/controlPlane.js'
import { isRoot } from '../lab/loopDevice.js'
import type { Machine } from '../lab/machine.js'
import { first } from '../lab/scene.js'
import {
  BACKUP,
  cursorOf,
  dropIn,
  endOf,
  eventsOf,
  hurry,
  install,
  since,
  startUnit,
  stepsIn,
  useExample,
} from './node.js'

const DATA = '/var/lib/etcd'
const job = ['defragment done', 'defragment done', 'moveLeader done', 'defragment done', 'snapshot done']

/** Sets all timers to the same second, in s since 1970, and gives it; one that is past when the last has it would not fire. */
async function fireAtOnce(machines: readonly Machine[]): Promise<number> {
  for (const seconds of [5, 30, 90]) {
    const soon = Math.ceil(Date.now() / 1000) + seconds
    const timer = `[Timer]\nOnCalendar=\nOnCalendar=@${soon}`
    await Promise.all(machines.map(machine => dropIn(machine, 'etcd-defrag.timer', timer)))
    if (Date.now() / 1000 < soon) return soon
  }
  return assert.fail('this machine takes more than a minute to set three timers')
}

describe('on the nodes of a control plane that have got the package', {
  skip: isRoot ? false : 'booting machines takes root',
  timeout: 300_000,
}, () => {
  let plane: ControlPlane
  before(async () => {
    plane = await ControlPlane.start()
    await Promise.all(
      plane.nodes.map(async ({ machine }) => {
        await install(machine)
        await hurry(machine)
      }),
    )
  })
  after(() => plane[Symbol.asyncDispose]())
  const nodeAt = (position: number): PlaneNode => first(plane.nodes.slice(position))
  const leads = async (node: PlaneNode) => (await plane.leader()) === node

  /** As etcd's and xz's own tools see it. */
  async function assertBackup({ machine }: PlaneNode): Promise<void> {
    assert.equal(await machine.sh(`stat -Lc '%U:%G %a' ${BACKUP}`), 'root:root 600\n')
    await machine.sh(`xz -t ${BACKUP}; xz -dc ${BACKUP} > /var/tmp/snapshot.db`)
    const status = JSON.parse(await machine.sh('etcdutl snapshot status -w json /var/tmp/snapshot.db'))
    assert.ok(status.totalKey > 100, JSON.stringify(status))
  }

  for (const [position, disk, owner] of [
    [0, 'ext4', 'root'],
    [1, 'xfs', 'etcd'],
  ] as const)
    test(`the leader's does the whole job in its sandbox, with data of user ${owner} on ${disk}`, async () => {
      const node = nodeAt(position)
      const { machine } = node
      assert.equal(await machine.sh(`stat -c %U ${DATA}; findmnt -no FSTYPE ${DATA}`), `${owner}\n${disk}\n`)
      await plane.fragment(60)
      await plane.moveLeader(node)
      const before = await machine.allocated(DATA)
      const run = await startUnit(machine)
      assert.equal(run.code, 0, run.stderr)
      assert.deepEqual(stepsIn(run.events), [...job, 'trim done'])
      assert.deepEqual([endOf(run)['verdict'], endOf(run)['warnings']], ['completed', []])
      assert.equal(await leads(node), false)
      const freed = before - (await machine.allocated(DATA))
      assert.ok(freed > 40 << 20, `${freed} bytes came back to the disk`)
      await assertBackup(node)
    })

  test('on a follower it is skipped, with 0 and the reason', async () => {
    const run = await startUnit(first(await plane.followers()).machine)
    assert.equal(run.code, 0, run.stderr)
    const { verdict, check } = endOf(run)
    assert.deepEqual([verdict, check, stepsIn(run.events)], ['skipped', 'localLeads', []])
  })

  test('the timers fire on all nodes, and one of them does the job', async () => {
    await plane.moveLeader(nodeAt(2))
    const machines = plane.nodes.map(({ machine }) => machine)
    // A run that begins late sees the record, also where leadership has come to it meanwhile; that of earlier runs is gone.
    await Promise.all(
      machines.map(machine => machine.write('/etc/etcd-defrag/config.yaml', 'min-uptime: 0s\n')),
    )
    await plane.etcdctl(['del', '--prefix', '/etcd-defrag/'])
    const cursors = await Promise.all(machines.map(cursorOf))
    const soon = await fireAtOnce(machines)
    const told = () =>
      Promise.all(
        machines.map(async (machine, i) => {
          const journal = await since(machine, 'etcd-defrag.service', cursors[i] ?? '')
          return eventsOf(journal).find(({ event }) => event === 'ended')
        }),
      )
    await until('all runs have ended', async () => !(await told()).includes(undefined))
    const ends = await told()
    assert.deepEqual(
      ends.map(end => end?.['verdict']),
      ['skipped', 'skipped', 'completed'],
      JSON.stringify(ends),
    )
    const began = ends.map(end => Date.parse(String(end?.['startedAt'])) / 1000 - soon)
    assert.ok(Math.min(...began) >= 0, `seconds after the timer: ${began}`)
    await Promise.all(machines.map(machine => dropIn(machine, 'etcd-defrag.timer', '')))
    await Promise.all(machines.map(machine => hurry(machine)))
  })

  test('the journal has each event with its priority', async () => {
    const { machine } = nodeAt(0)
    await hurry(machine, 'data-dir: /var/empty\nforce-nonleader: true\n') // nothing to trim there: a warning
    const warned = await startUnit(machine)
    assert.equal(warned.code, 0)
    const told = warned.journal.filter(entry => entry['MESSAGE']?.startsWith('{'))
    const priorities = new Set(told.map(e => `${JSON.parse(e['MESSAGE'] ?? '').level} ${e['PRIORITY']}`))
    assert.deepEqual([...priorities].sort(), ['info 6', 'warn 4'])
    assert.deepEqual(new Set(told.map(entry => entry['_SYSTEMD_UNIT'])), new Set(['etcd-defrag.service']))
    const errors = ['journalctl', '-u', 'etcd-defrag', '-p', 'err', '-o', 'cat']
    assert.equal((await machine.execute(errors)).stdout, '')

    await machine.write('/etc/etcd-defrag/config.yaml', 'endpoints: http://127.0.0.1:1\n')
    const failed = await startUnit(machine)
    assert.equal(failed.code, 1)
    assert.deepEqual(await machine.show('etcd-defrag', 'Result', 'ExecMainStatus'), {
      Result: 'exit-code',
      ExecMainStatus: '69',
    })
    assert.match((await machine.execute(errors)).stdout, /"event":"ended".*etcd cannot be reached/)
    await machine.sh('systemctl reset-failed')
    await hurry(machine)
  })

  test('a drill restores the backup in its sandbox, without a network', async () => {
    const { machine } = nodeAt(0)
    const drill = await startUnit(machine, 'etcd-defrag-drill.service')
    assert.equal(drill.code, 0, drill.stderr)
    const words = drill.journal.map(entry => entry['MESSAGE']).join('\n')
    assert.match(words, /it restores, and what comes of it serves\n.*\n.*\nkeys .* each read by etcd/)
    assert.equal(await machine.sh('ls -A /root | grep drill || true'), '')
  })

  test('a folder for backups is shut until the example opens it, and the message names the line', async () => {
    const { machine } = nodeAt(0)
    await machine.sh('mkdir -m 0700 -p /var/backups/etcd')
    await hurry(machine, 'force-nonleader: true\nbackup-path: /var/backups/etcd/etcd-backup.xz\n')
    const shut = await startUnit(machine)
    assert.equal(shut.code, 1)
    const { exitCode, reason } = endOf(shut)
    assert.equal(exitCode, 73)
    assert.match(
      String(reason),
      /systemctl edit etcd-defrag, .*: \[Service\] ReadWritePaths=\/var\/backups\/etcd/,
    )
    await useExample(machine, 'backup-folder.conf')
    const open = await startUnit(machine)
    assert.equal(open.code, 0, String(endOf(open)['reason']))
    await machine.sh('xz -t /var/backups/etcd/etcd-backup.xz')
    await machine.sh('rm -r /etc/systemd/system/etcd-defrag.service.d; systemctl daemon-reload')
    await hurry(machine)
  })

  test("with the members' networks named, and all others denied, it does its job", async () => {
    const { machine } = nodeAt(0)
    await hurry(machine, 'force-nonleader: true\n')
    await useExample(machine, 'members-only.conf')
    const run = await startUnit(machine)
    assert.equal(run.code, 0, String(endOf(run)['reason']))
    // Whether it is enforced is for the kernel (BPF), and none is in the lab.
    const { IPAddressDeny } = await machine.show('etcd-defrag', 'IPAddressDeny')
    assert.deepEqual(IPAddressDeny?.split(' ').sort(), ['0.0.0.0/0', '::/0'])
    await machine.sh('rm -r /etc/systemd/system/etcd-defrag.service.d; systemctl daemon-reload')
    await hurry(machine)
  })

  test('a failure is told as the example says', async () => {
    const { machine } = nodeAt(0)
    await useExample(machine, 'on-failure.conf')
    await useExample(machine, 'etcd-defrag-failed@.service')
    await machine.sh('systemd-analyze verify etcd-defrag-failed@etcd-defrag.service')
    await machine.write('/etc/etcd-defrag/config.yaml', 'endpoints: http://127.0.0.1:1\n')
    const told = () => machine.journal('etcd-defrag-failed@etcd-defrag.service', '-p', 'crit')
    // Before systemd 251 there is no such variable.
    for (const older of ['', '[Service]\nUnsetEnvironment=MONITOR_EXIT_STATUS']) {
      await dropIn(machine, 'etcd-defrag-failed@.service', older)
      await machine.sh('systemctl reset-failed etcd-defrag') // it has been started too often in these seconds
      const earlier = (await told()).length
      assert.equal((await startUnit(machine)).code, 1)
      await until('the failure is told', async () => (await told()).length > earlier)
      assert.match(
        (await told()).at(-1)?.['MESSAGE'] ?? '',
        /^etcd-defrag failed on node-1 with exit code 69, see: /,
      )
    }
    await dropIn(machine, 'etcd-defrag-failed@.service', '')
    await machine.sh(
      'systemctl reset-failed; rm -r /etc/systemd/system/etcd-defrag.service.d; systemctl daemon-reload',
    )
    await hurry(machine)
  })
})
