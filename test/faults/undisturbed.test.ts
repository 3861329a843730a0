import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { suites } from '../lab/cluster.js'
import { Scene } from '../lab/scene.js'

describe('the witness on a real cluster', { timeout: 120_000 }, () => {
  for (const suite of suites)
    test(`has nothing against a run and a second one, Debian ${suite}`, async () => {
      await using scene = await Scene.set({ suite, tls: suite !== 'bookworm' })
      for (const _ of [1, 2]) assert.equal((await scene.run()).verdict, 'completed')
      await scene.judge()
    })

  test('reports what no run told of, and a backup that is none', async () => {
    await using scene = await Scene.set()
    assert.equal((await scene.run()).verdict, 'completed')
    await scene.cluster.etcdctl(['defrag'], [scene.leader])
    await writeFile(scene.backupPath, 'no archive')
    await scene.cluster.etcdctl(['put', '/etcd-defrag/lock', 'taken'])
    await assert.rejects(scene.judge(), error => {
      for (const words of [
        `${scene.leader.name} was defragmented once more`,
        'the backup is no whole archive',
        'the key /etcd-defrag/lock is left',
      ])
        assert.match(String(error), new RegExp(words))
      return true
    })
  })
})
