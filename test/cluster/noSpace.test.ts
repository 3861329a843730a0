import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AlarmAction, AlarmType } from 'etcd3'
import { Cluster, suites } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { clientOf } from '../lab/fill.js'

const QUOTA = 16 * 1024 * 1024
const job = ['--no-trim', '--no-backup', '--output', 'json']

/** Writes until etcd takes no more; `frees` compacts, so that a defragmentation has something to give back. */
async function fill(cluster: Cluster, frees: boolean): Promise<void> {
  const client = await clientOf(cluster)
  try {
    for (let i = 0; ; i++) {
      const isFull = await client
        .put(frees ? '/registry/same' : `/registry/k${i}`)
        .value('x'.repeat(1_000_000))
        .then(
          () => false,
          error => /space exceeded/.test(String(error)),
        )
      if (isFull) break
      assert.ok(i < 100, 'the quota is never reached')
    }
    const { header } = await client.get('/registry/same').exec()
    if (frees) await client.kv.compact({ revision: header.revision, physical: true })
  } finally {
    client.close()
  }
}

const alarms = async (cluster: Cluster): Promise<readonly string[]> =>
  (await cluster.etcdctl(['alarm', 'list']))
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .sort()
const takesWrites = (cluster: Cluster): Promise<boolean> =>
  cluster.etcdctl(['put', '/registry/new', 'x']).then(
    () => true,
    () => false,
  )
const run = async (cluster: Cluster, ...more: string[]) =>
  documentOf(await etcdDefrag([...cluster.flags(await cluster.leader()), ...job, ...more]))

for (const suite of suites)
  describe(`etcd out of space (Debian ${suite})`, { timeout: 180_000 }, () => {
    test('is defragmented without a lock, has its alarms taken back and takes writes again', async () => {
      await using cluster = await Cluster.start({
        suite,
        tls: false,
        flags: [`--quota-backend-bytes=${QUOTA}`],
      })
      await fill(cluster, true)
      const raised = await alarms(cluster)
      assert.ok(raised.length > 0)
      assert.equal(await takesWrites(cluster), false)

      const kept = await run(cluster, '--no-disarm')
      assert.equal(kept.verdict, 'completed')
      assert.match(
        kept.warnings.join(),
        /there is no lock in etcd to keep other nodes' runs away .*space exceeded/,
      )
      // Its own try for the lock may have raised others', and none is taken back.
      const still = await alarms(cluster)
      for (const alarm of raised) assert.ok(still.includes(alarm), alarm)

      const report = await run(cluster)
      assert.equal(report.verdict, 'completed', JSON.stringify(report))
      const [disarm] = report.steps.filter(({ step }: { step: string }) => step === 'disarm')
      assert.equal(disarm.outcome, 'done')
      assert.ok(disarm.members.length >= still.length, JSON.stringify(disarm))
      assert.deepEqual(await alarms(cluster), [])
      assert.equal(await takesWrites(cluster), true)
      // Now that etcd takes writes, the next run knows of this one.
      assert.match(await cluster.etcdctl(['get', '/etcd-defrag/last-run']), /"verdict":"completed"/)
      assert.deepEqual(await cluster.etcdctl(['lease', 'list']), 'found 0 leases\n')
    })

    test('with nothing to free keeps the alarm, and says whose and what to do', async () => {
      await using cluster = await Cluster.start({ suite, tls: false })
      const client = await clientOf(cluster)
      for (let i = 0; i < 14; i++) await client.put(`/registry/k${i}`).value('x'.repeat(1_000_000))
      client.close()
      // All of it is in use, and the quota is lowered below it.
      for (const member of cluster.members) {
        await cluster.kill(member)
        await cluster.restart(member, ['--quota-backend-bytes=8388608'])
      }
      assert.equal(await takesWrites(cluster), false)
      const raised = await alarms(cluster)
      const report = await run(cluster)
      assert.deepEqual([report.exitCode, report.fault.check], [76, 'noSpace'])
      assert.match(
        report.reason,
        /has a NOSPACE alarm: its file of \d+ bytes is not below its quota of 8388608/,
      )
      assert.match(report.reason, /delete or compact what is not needed or raise --quota-backend-bytes/)
      for (const member of cluster.members) assert.equal(await cluster.defragmentations(member), 1)
      // Writes that were tried meanwhile may have raised others', and none is taken back.
      const now = await alarms(cluster)
      for (const alarm of raised) assert.ok(now.includes(alarm), alarm)
    })

    test('on one member only: that one alarm is taken back, and no CORRUPT one ever', async () => {
      await using cluster = await Cluster.start({ suite, tls: false })
      const client = await clientOf(cluster)
      try {
        const { members } = await client.cluster.memberList({})
        const raise = (memberID: string, alarm: AlarmType) =>
          client.maintenance.alarm({ action: AlarmAction.Activate, memberID, alarm })
        await raise(members[0]?.ID ?? '', AlarmType.Nospace)
        await raise('1234', AlarmType.Nospace) // of a member that is no more
        const report = await run(cluster)
        assert.equal(report.verdict, 'completed')
        assert.deepEqual(await alarms(cluster), [])
        assert.equal(await takesWrites(cluster), true)
        await raise(members[0]?.ID ?? '', AlarmType.Nospace)
        await raise(members[1]?.ID ?? '', AlarmType.Corrupt)
        await run(cluster, '--force-unhealthy')
        assert.deepEqual(
          (await alarms(cluster)).map(line => line.replace(/^.*alarm:/, '')),
          ['CORRUPT'],
        )
      } finally {
        client.close()
      }
    })
  })
