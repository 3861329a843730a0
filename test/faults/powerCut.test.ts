import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from '../lab/archives.js'
import { documentOf } from '../lab/command.js'
import { noDisks } from '../lab/diskOf.js'
import { LoopDevice } from '../lab/loopDevice.js'
import { begins, Scene } from '../lab/scene.js'

const INSTANTS = 30

describe('a power cut', { timeout: 300_000, skip: noDisks }, () => {
  test('at any instant of a backup leaves the old archive or the new one, whole, and otherwise only our own files', async t => {
    await using disk = await LoopDevice.create(160)
    await using scene = await Scene.set({
      size: 1,
      tls: false,
      megabytes: 60,
      keep: 2,
      backupFolder: disk.mountPoint,
    })
    await disk.sync()
    const before = await readFile(scene.backupPath)
    const running = scene.start(['--force-single'])
    await running.said(begins('snapshot'))
    let isOver = false
    const ended = running.ended.then(() => {
      isOver = true
    })
    let [old, fresh] = [0, 0]
    for (let n = 0; n < INSTANTS; n++) {
      await Promise.race([sleep(Math.random() * 400), ended])
      if (!isOver) process.kill(running.pid, 'SIGSTOP') // so that nothing is written while the disk is copied
      await using cut = await disk.afterPowerCut()
      if (!isOver) process.kill(running.pid, 'SIGCONT')
      const names = await readdir(cut.mountPoint)
      const others = names.filter(
        name =>
          !/^(etcd-backup(-\d{8}T\d{6}Z)?\.xz|etcd-backup\.xz\.json|lost\+found|\.etcd-backup\.xz\.\d+-[0-9a-f]{8}\.(spool|partial|provenance))$/.test(
            name,
          ),
      )
      assert.deepEqual(others, [])
      const path = join(cut.mountPoint, 'etcd-backup.xz')
      if ((await readFile(path)).equals(before)) old += 1
      else {
        await inspect(path, scene.cluster.suite) // throws unless etcd's own tools find it whole
        fresh += 1
      }
      if (isOver) break
    }
    t.diagnostic(`the old archive ${old} times, the new one ${fresh} times`)
    assert.ok(old > 0)
    assert.equal(documentOf(await running.ended).verdict, 'completed')
    // What was reported as done was on the disk by then.
    await using last = await disk.afterPowerCut()
    const { sha256 } = await inspect(join(last.mountPoint, 'etcd-backup.xz'), scene.cluster.suite)
    assert.equal(sha256, documentOf(await running.ended).steps.at(-1).result.sha256)
    await scene.judge()
  })
})
