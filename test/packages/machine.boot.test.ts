import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { until } from '../lab/cluster.js'
import { ControlPlane } from '../lab/controlPlane.js'
import { isRoot } from '../lab/loopDevice.js'
import { Machine } from '../lab/machine.js'

const skip = isRoot ? false : 'booting machines takes root'
const ownNames = (names: readonly string[], owner: number | undefined) =>
  names.filter(name => name.startsWith(`etcd-machine-${owner}-`))
const loopFiles = async (owner: number | undefined) => {
  const devices = (await readdir('/sys/block')).filter(name => name.startsWith('loop'))
  const files = await Promise.all(
    devices.map(name => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')), // not in use
  )
  return files.filter(file => file.includes(`etcd-machine-${owner}-`))
}
/** Folders, control groups, loop devices and processes of machines that process booted. */
async function remainsOf(owner: number | undefined): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n')
  const groups = mounts.map(line => line.split(' ')).filter(([, , type = '']) => type.startsWith('cgroup'))
  const inGroups = await Promise.all(groups.map(([, folder = '']) => readdir(folder)))
  const processes = await Promise.all(
    (await readdir('/proc'))
      .filter(id => /^\d+$/.test(id))
      .map(id => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
  )
  return [
    ...ownNames(await readdir(tmpdir()), owner),
    ...ownNames(inGroups.flat(), owner),
    ...(await loopFiles(owner)),
    ...mounts.filter(line => line.includes(`etcd-machine-${owner}-`)),
    ...processes.filter(line => line.includes(`etcd-machine-${owner}-`)),
  ]
}

test('a machine boots, is written to and read, boots again with what was written, and leaves nothing', {
  skip,
}, async () => {
  {
    await using machine = await Machine.boot({ disks: { '/srv': { type: 'ext4', megabytes: 64 } } })
    await machine.write('/etc/some/file', 'words\n', '0600')
    await machine.write('/srv/file', 'words\n')
    await machine.reboot()
    assert.equal(
      await machine.sh('cat /etc/some/file /srv/file; stat -c %a /etc/some/file'),
      'words\nwords\n600\n',
    )
    const entries = await machine.journal('systemd-journald')
    assert.ok(entries.some(entry => entry['SYSLOG_IDENTIFIER'] === 'systemd-journald'))
    assert.deepEqual(await machine.execute(['sh', '-c', 'echo one; echo two >&2; exit 3']), {
      code: 3,
      stdout: 'one\n',
      stderr: 'two\n',
    })
  }
  await until('nothing is left', async () => (await remainsOf(process.pid)).length === 0)
})

test('a machine ends with the process that booted it, and the next one removes what that left', {
  skip,
}, async () => {
  const script = `const { Machine } = await import(${JSON.stringify(import.meta.resolve('../lab/machine.js'))})
    await Machine.boot({ disks: { '/srv': { type: 'xfs', megabytes: 320 } } })
    process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  assert.equal(signal, 'SIGKILL')
  const isEnded = async () => (await remainsOf(child.pid)).every(text => text.startsWith('etcd-machine-'))
  await until('only a folder and control groups are left', isEnded)
  assert.ok((await remainsOf(child.pid)).length > 0)
  await using machine = await Machine.boot()
  assert.deepEqual(await remainsOf(child.pid), [])
  assert.ok(existsSync(machine.folder))
})

test('three machines are a cluster as kubeadm sets it up', { skip }, async () => {
  await using plane = await ControlPlane.start()
  await plane.fragment(4)
  const [one, two, three] = plane.nodes
  assert.ok(one && two && three)
  await plane.moveLeader(three)
  assert.equal((await plane.leader()).machine.name, 'node-3')
  assert.equal(await two.machine.sh('stat -c "%U %a" /var/lib/etcd'), 'etcd 700\n')
  assert.equal(await two.machine.sh('findmnt -no FSTYPE /var/lib/etcd'), 'xfs\n')
  assert.equal(await one.machine.sh('findmnt -no FSTYPE /var/lib/etcd'), 'ext4\n')
  assert.equal(await one.machine.sh('stat -c "%U %a" /etc/kubernetes/pki/etcd/server.key'), 'root 600\n')
  for (const { machine } of [one, two]) {
    const before = await machine.allocated('/var/lib/etcd')
    await machine.sh('head -c 20M /dev/urandom > /var/lib/etcd/large')
    const full = await machine.allocated('/var/lib/etcd')
    assert.ok(full - before > 19 << 20, `${before} bytes, ${full} with 20 MiB more`)
    await machine.sh('rm /var/lib/etcd/large')
    await until('what was removed is trimmed', async () => {
      await machine.sh('sync -f /var/lib/etcd; fstrim /var/lib/etcd') // xfs frees a moment after the removal
      return full - (await machine.allocated('/var/lib/etcd')) > 19 << 20
    })
  }
})
