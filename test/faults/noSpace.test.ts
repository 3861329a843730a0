import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type LabMember, until } from '../lab/cluster.js'
import { clientOf } from '../lab/fill.js'
import { Scene, stepsOf } from '../lab/scene.js'

const quota = { flags: [`--quota-backend-bytes=${20 * 1024 * 1024}`], fill: async () => {} }

const alarms = async ({ cluster }: Scene): Promise<number> =>
  ((await cluster.etcdctl(['alarm', 'list'])).match(/alarm:NOSPACE/g) ?? []).length

/** Writes through each member until it refuses and raises its alarm; then makes the data old, so that it can be freed. */
async function fillUp(scene: Scene, members: readonly LabMember[]): Promise<void> {
  const { cluster } = scene
  for (const [before, member] of members.entries()) {
    const client = await clientOf(cluster, [member])
    try {
      await assert.rejects(async () => {
        for (let n = 0; n < 40; n++) await client.put(`/full/${n}`).value(Buffer.alloc(1 << 20, 'a'))
      }, /database space exceeded/)
      // The refusal may be for another's alarm: its own file can be a page below the quota, which a larger value exceeds.
      await until('it has raised its own alarm', async () => {
        if ((await alarms(scene)) > before) return true
        const larger = client.put('/full/larger').value(Buffer.alloc(1_450_000, 'b'))
        await larger.exec().catch(() => {})
        return false
      })
    } finally {
      client.close()
    }
  }
  const client = await clientOf(cluster)
  try {
    await client.delete().prefix('/full/')
    const { header } = await client.get('never').exec()
    await client.kv.compact({ revision: header.revision, physical: true })
  } finally {
    client.close()
  }
}

describe('a NOSPACE alarm', { timeout: 300_000 }, () => {
  for (const [who, count] of [
    ['one member', 1],
    ['all members', 3],
  ] as const)
    test(`of ${who}: the run defragments, takes the alarms back and backs up`, async () => {
      await using scene = await Scene.set(quota)
      const members = [scene.leader, ...scene.followers].slice(0, count)
      await fillUp(scene, members)
      assert.ok((await alarms(scene)) >= count)
      const report = await scene.run()
      assert.deepEqual(
        [report.exitCode, ...stepsOf(report)],
        [
          0,
          'defragment done',
          'defragment done',
          'moveLeader done',
          'defragment done',
          'disarm done',
          'snapshot done',
        ],
        report.reason,
      )
      for (const { Endpoint, Status } of await scene.cluster.status())
        assert.ok(Status.dbSize < 5e6, `${Endpoint} still has ${Status.dbSize} bytes`)
      assert.equal(await scene.cluster.etcdctl(['alarm', 'list']), '')
      await scene.judge()
    })
})
