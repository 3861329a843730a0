import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ControlPlane } from '../lab/controlPlane.js'
import { isRoot } from '../lab/loopDevice.js'
import type { Machine } from '../lab/machine.js'
import { first } from '../lab/scene.js'
import { BACKUP, endOf, hurry, install, startUnit, stepsIn } from './node.js'

describe('in the sandbox of its unit, on nodes as they come', {
  skip: isRoot ? false : 'booting machines takes root',
  timeout: 300_000,
}, () => {
  let plane: ControlPlane
  let machine: Machine
  before(async () => {
    plane = await ControlPlane.start({
      nodes: [{ disk: { type: 'ext4', megabytes: 600 }, user: 'etcd' }],
    })
    machine = first(plane.nodes).machine
    await install(machine)
    await hurry(machine, 'force-single: true\n')
    await plane.fragment(4)
  })
  after(() => plane[Symbol.asyncDispose]())

  async function assertJobAndDrill(): Promise<void> {
    const run = await startUnit(machine)
    assert.equal(run.code, 0, String(endOf(run)['reason']))
    assert.deepEqual(stepsIn(run.events), ['defragment done', 'snapshot done', 'trim done'])
    await machine.sh(`xz -t ${BACKUP}`)
    const drill = await startUnit(machine, 'etcd-defrag-drill.service')
    assert.equal(drill.code, 0, drill.journal.map(entry => entry['MESSAGE']).join('\n'))
  }

  test('the backup goes to a /root that root itself may not write in by its mode', async () => {
    await machine.sh('chmod 0550 /root')
    await assertJobAndDrill()
  })

  test('the backup goes to a /root that is a mount', async () => {
    await machine.sh('mkdir -m 0700 /srv/root; mount --bind /srv/root /root')
    await assertJobAndDrill()
    assert.equal(await machine.sh('ls /srv/root'), 'etcd-backup.xz\netcd-backup.xz.json\n')
    await machine.sh('umount /root')
  })

  test('the backup goes to a /root that is a link', async () => {
    await machine.sh('mkdir -m 0700 /var/roothome; mv /root /root.before; ln -s var/roothome /root')
    await assertJobAndDrill()
    assert.equal(await machine.sh('ls /var/roothome'), 'etcd-backup.xz\netcd-backup.xz.json\n')
    await machine.sh('rm /root; mv /root.before /root')
  })

  test("what a run by hand has spooled stays, since it is seen from the sandbox, and a dead run's goes", async () => {
    await machine.sh(`
      etcd-defrag daemon --schedule '0 0 1 1 *' > /dev/null 2>&1 < /dev/null & echo $! > /run/living
      sh -c : & echo $! > /run/dead
      sleep 1
      for id in $(cat /run/living /run/dead); do touch /root/.etcd-backup.xz.$id.spool; done`)
    const run = await startUnit(machine)
    assert.equal(run.code, 0, String(endOf(run)['reason']))
    const left = await machine.sh('ls -A /root | grep spool || true; kill $(cat /run/living)')
    assert.equal(left, `.etcd-backup.xz.${(await machine.read('/run/living')).trim()}.spool\n`)
    await machine.sh('rm /root/.etcd-backup.xz.*.spool')
  })

  test('the drill finds the programs of an etcd in a container by the process that has the data open', async () => {
    await machine.sh(`
      image=/opt/image
      mkdir -p $image/usr/local/bin $image/usr/lib $image/lib $image/lib64 $image/etc/kubernetes/pki/etcd $image/var/lib/etcd
      mv /usr/bin/etcd /usr/bin/etcdutl /usr/bin/etcdctl $image/usr/local/bin/
      mkdir -p /etc/systemd/system/etcd.service.d
      cat > /etc/systemd/system/etcd.service.d/container.conf <<END
[Service]
RootDirectory=$image
MountAPIVFS=yes
BindReadOnlyPaths=/usr/lib /lib /lib64 /etc/kubernetes/pki/etcd /etc/passwd /etc/group
BindPaths=/var/lib/etcd
ExecStart=
$(sed -n 's#^ExecStart=/usr/bin#ExecStart=/usr/local/bin#p' /etc/systemd/system/etcd.service)
END
      systemctl daemon-reload
      systemctl restart etcd`)
    const drill = await startUnit(machine, 'etcd-defrag-drill.service')
    const words = drill.journal.map(entry => entry['MESSAGE']).join('\n')
    assert.equal(drill.code, 0, words)
    assert.match(words, /starting \/proc\/\d+\/root\/usr\/local\/bin\/etcd /)
  })
})
