import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Authority } from '../lab/certificates.js'
import { ends, Scene } from '../lab/scene.js'

const past = { notBefore: new Date('2025-03-01T00:00:00Z'), notAfter: new Date('2025-09-01T12:00:00Z') }

/** etcd reads its certificate anew for every connection, so this one holds from now on for those to come. */
async function serverIs(scene: Scene, valid?: typeof past): Promise<void> {
  const authority = await Authority.of(join(scene.cluster.folder, 'pki'))
  await authority.issue('server', valid === undefined ? {} : { valid })
}

describe('certificates that expire in mid-run', { timeout: 120_000 }, () => {
  test('connections that stand are not affected: the run goes on and completes', async () => {
    await using scene = await Scene.set({ megabytes: 20 })
    const running = scene.start(['--pause', '1s'])
    await running.said(ends('defragment'))
    await serverIs(scene, past)
    assert.equal((await running.ended).code, 0, running.stderr())
    const next = await scene.run()
    assert.deepEqual([next.exitCode, next.verdict], [69, 'failed'])
    await serverIs(scene) // renewed, for those who judge
    await scene.judge()
  })

  test('a member that is connected to anew is out: the run ends there and names the certificate with its dates', async () => {
    await using scene = await Scene.set({ megabytes: 20 })
    const running = scene.start(['--pause', '3s', '--settle-timeout', '3s', '--no-backup'])
    await running.said(ends('defragment'))
    await serverIs(scene, past)
    const member = scene.at(running)
    await scene.witness.kill(member)
    await scene.witness.restart(member)
    const report = await scene.reportOf(running)
    assert.equal(report.exitCode, 76, report.reason)
    assert.match(
      report.reason,
      /its certificate has expired\): server, issued by etcd-ca, valid from 2025-03-01T00:00:00Z to 2025-09-01T12:00:00Z/,
    )
    assert.equal(report.steps.length, 1)
    await serverIs(scene) // renewed, for those who judge
    await scene.judge()
  })
})
