import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LastRun, Pause } from '../../src/model/coordination.js'
import { memoryOf, written } from '../../src/system/etcd/memory.js'
import { metricsOf } from '../../src/system/etcd/metrics.js'
import { idOf } from './views.js'

const keyOf = (name: string) => `/etcd-defrag/${name}`
const remembered = (values: Readonly<Record<string, string>>) =>
  memoryOf(new Map(Object.entries(values)), keyOf)

describe('what is kept in etcd between runs', () => {
  const lastRun: LastRun = {
    by: 'n1',
    endedAt: 1_795_300_000_000,
    verdict: 'failed',
    exitCode: 76,
    backup: '/root/etcd-backup.xz',
    leftAlone: 1,
    reason: 'member m2 does not answer',
    paces: [{ member: idOf('8e9e05c52164694d'), bytes: 5, tookMs: 7 }],
  }
  const pause: Pause = { by: 'n1', since: 1_795_300_000_000, until: 1_795_300_060_000, reason: 'why' }

  test('is read as it was written', () => {
    const memory = remembered({
      'last-run': written.lastRun(lastRun),
      pause: written.pause(pause),
      lock: '{"by":"x"}',
    })
    assert.deepEqual(memory, { holder: 'x', lastRun, pause, problems: [] })
    assert.deepEqual(remembered({}), {
      holder: undefined,
      lastRun: undefined,
      pause: undefined,
      problems: [],
    })
  })

  test('a value that cannot be understood is named; a pause counts all the same, until it is ended', () => {
    for (const odd of [
      '',
      'x',
      '7',
      'null',
      '{}',
      '[]',
      '{"by":1}',
      '{"format":99,"by":"a","since":"2026-01-01","until":"2026-01-01","reason":""}',
      '{"by":"a","since":"never","until":"x"}',
    ]) {
      const { pause: held, lastRun: run, problems } = remembered({ pause: odd, 'last-run': odd })
      assert.ok((held?.until ?? 0) > Date.parse('9000-01-01'), odd)
      assert.equal(run, undefined)
      assert.equal(problems.length, 2)
      assert.match(problems.join(), /the value of \/etcd-defrag\/pause in etcd cannot be understood/)
    }
  })
})

describe('metrics', () => {
  const body = [
    '# HELP etcd_disk_defrag_inflight Whether or not defrag is active.',
    'etcd_disk_defrag_inflight 0',
    'etcd_network_snapshot_receive_inflights_total{From="a"} 0',
    'etcd_network_snapshot_receive_inflights_total{From="b"} 0',
    'etcd_server_quota_backend_bytes 2.147483648e+09',
    'etcd_server_snapshot_apply_in_progress_total 0',
    'process_start_time_seconds 1.79531950658e+09',
  ].join('\n')
  const date = new Date(1_795_319_518_000).toUTCString()
  const idle = { kind: 'known', isDefragmenting: false, isReceivingSnapshot: false }

  test('tell how long the member has been up by its own clock, its quota and what it is at', () => {
    assert.deepEqual(metricsOf(body, date), {
      ...idle,
      processStart: 1_795_319_506_580,
      uptimeMs: 11_420,
      quota: 2 ** 31,
    })
    const busy = body.replace('inflight 0', 'inflight 1').replace('{From="b"} 0', '{From="b"} 1')
    assert.deepEqual(metricsOf(busy, date), {
      ...{ kind: 'known', isDefragmenting: true, isReceivingSnapshot: true },
      ...{ processStart: 1_795_319_506_580, uptimeMs: 11_420, quota: 2 ** 31 },
    })
  })

  test('that an old etcd lacks, or has no number for, are not guessed', () => {
    assert.deepEqual(metricsOf('', undefined), {
      ...idle,
      processStart: undefined,
      uptimeMs: undefined,
      quota: undefined,
    })
    assert.deepEqual(metricsOf('etcd_server_quota_backend_bytes 0\nprocess_start_time_seconds NaN', date), {
      ...{ ...idle, processStart: undefined, uptimeMs: undefined, quota: undefined },
    })
  })
})
