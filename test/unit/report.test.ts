import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Member } from '../../src/model/member.js'
import type { RunReport } from '../../src/model/report.js'
import { failureJson, planJson, runJson, statusJson } from '../../src/report/json.js'
import { colorsFor, statusText, summaryText } from '../../src/report/text.js'
import {
  alone,
  backup,
  defragment,
  learner,
  m1,
  m2,
  m3,
  move,
  newestOnly,
  noSpace,
  reachable,
  refused,
  report,
  sizes,
  stall,
  timedOut,
  view,
} from './fixtures.js'

const MIB = 1 << 20
const plain = colorsFor(false)

const node = ({ id, name }: Member) => ({ id, name })
const when = { because: 'so', startedAt: '1970-01-01T00:00:01.000Z', tookMs: 1500 }

describe('the JSON document', () => {
  /** As a reader gets it; that nothing is lost on the way is looked at here. */
  const read = (document: object): object => {
    assert.deepEqual(JSON.parse(JSON.stringify(document)), document)
    return document
  }

  it('of a run has every step with its outcome', () => {
    const { steps: told, after, ...rest } = runJson(report)
    const trimmed = { bytes: 92484608, said: '/var/lib/etcd: 88.2 MiB (92484608 bytes) trimmed' }
    const moves = { step: 'moveLeader', from: node(m1), candidates: [node(m2), node(m3)], ...when }
    const wanted = [
      {
        ...{ step: 'defragment', member: node(m2), expectedStall: stall },
        ...when,
        outcome: 'done',
        result: sizes,
      },
      {
        ...{
          step: 'defragment',
          member: node(m3),
          expectedStall: stall,
          ...when,
          outcome: 'unanswered',
          fault: timedOut,
        },
        problem: 'Defragment: no answer within 600 s (it may still be running there; it is not sent again)',
      },
      { ...moves, outcome: 'failed', problem: 'MoveLeader: not leader', fault: refused },
      { ...moves, outcome: 'done', result: { to: node(m2) } },
      {
        step: 'defragment',
        member: node(m1),
        expectedStall: stall,
        ...when,
        outcome: 'done',
        result: { before: sizes.before, after: null },
      },
      {
        step: 'snapshot',
        member: node(m1),
        path: '/b.xz',
        retention: newestOnly,
        ...when,
        outcome: 'done',
        result: backup,
      },
      {
        ...{
          step: 'snapshot',
          member: node(m1),
          path: '/b.xz',
          retention: newestOnly,
          ...when,
          outcome: 'failed',
          fault: noSpace,
        },
        problem: 'backup to /b.xz: no space left',
      },
      { step: 'trim', path: '/var/lib/etcd', ...when, outcome: 'done', result: trimmed },
      {
        step: 'trim',
        path: '/var/lib/etcd',
        ...when,
        outcome: 'warned',
        problem: 'trim of /var/lib/etcd: not supported',
      },
    ]
    assert.deepEqual(JSON.parse(JSON.stringify(told)), wanted)
    assert.deepEqual({ format: 1, ...after }, statusJson(view))
    assert.deepEqual(read(rest), {
      ...{ format: 1, verdict: 'completed', exitCode: 0, reason: null, before: null },
      ...{ startedAt: '1970-01-01T00:00:00.000Z', endedAt: '1970-01-01T00:01:05.000Z', tookMs: 65_000 },
      ...{ reclaimedBytes: 6 * MIB, leftAlone: [alone], warnings: ['mind the gap'] },
    })
  })
  it('of a run that was skipped, or that failed, says why', () => {
    const skipped = runJson({
      ...report,
      verdict: { kind: 'skipped', check: 'localLeads', because: 'm2 leads' },
    })
    assert.deepEqual(
      [skipped.verdict, skipped.exitCode, skipped.reason, skipped.check],
      ['skipped', 0, 'm2 leads', 'localLeads'],
    )
    assert.deepEqual(read(failureJson({ kind: 'failed', fault: noSpace })), {
      ...{
        format: 1,
        verdict: 'failed',
        exitCode: 73,
        reason: 'backup to /b.xz: no space left',
        fault: noSpace,
      },
    })
  })

  it('of a plan has its steps and the cluster they are for', () => {
    const plan = {
      steps: [
        { step: defragment(m2), because: 'so' },
        { step: move, because: 'so' },
      ],
      leftAlone: [alone],
      waits: [],
      verdict: report.verdict,
    }
    const { cluster, leftAlone, ...rest } = planJson(view, plan, ['careful'])
    assert.deepEqual({ format: 1, ...cluster }, statusJson(view))
    assert.deepEqual(
      leftAlone.map(one => one.member),
      [m3.id],
    )
    assert.deepEqual(read(rest), {
      ...{ format: 1, verdict: 'completed', exitCode: 0, reason: null, warnings: ['careful'] },
      steps: [
        { step: 'defragment', member: node(m2), expectedStall: stall, because: 'so' },
        { step: 'moveLeader', from: node(m1), candidates: [node(m2), node(m3)], because: 'so' },
      ],
    })
  })

  it('of a cluster has every member, whatever state it is in', () => {
    const { members, ...rest } = statusJson(view)
    read({ ...rest, members })
    const tolerance = { voters: 3, healthy: 2, quorum: 2, further: 0 }
    assert.deepEqual(rest, { format: 1, clusterId: 'cdf818194e3a8c32', leader: '1', local: '1', tolerance })
    const common = {
      ...{ healthy: true, complaints: [], reachable: true, version: '3.5.30', role: 'follower' },
      ...{ dbSize: 8 * MIB, dbSizeInUse: 2 * MIB, reclaimable: 6 * MIB, raftTerm: 2, raftIndex: 100 },
      ...{ raftAppliedIndex: 100, raftLag: 0, alarms: [], errors: [], read: { kind: 'served', tookMs: 3 } },
      ...{ quota: null, uptimeMs: null },
    }
    const problem = 'http://3:2379: no connection within 2000 ms'
    assert.deepEqual(members, [
      { ...m1, ...common, endpoint: 'http://1:2379', role: 'leader' },
      {
        ...{ ...m2, ...common, endpoint: 'http://2:2379', raftAppliedIndex: 93, raftLag: 7 },
        ...{ alarms: ['NOSPACE'], errors: ['slow'] },
      },
      { ...m3, healthy: false, complaints: [`cannot be reached: ${problem}`], reachable: false, problem },
      {
        ...{ ...learner, ...common, endpoint: 'http://4:2379', role: 'learner' },
        read: { kind: 'notAsked', because: 'a learner' },
      },
    ])
  })
})

describe('the summary', () => {
  const lines = (of: Partial<RunReport>) => summaryText({ ...report, ...of }, plain).split('\n')

  it('of a run that completed tells what was won and where the backup is', () => {
    assert.deepEqual(lines({}), [
      '',
      'MEMBER    BEFORE     AFTER       RECLAIMED',
      'm2      8.00 MiB  2.00 MiB  6.00 MiB  75 %  ███████▌··',
      'm1      8.00 MiB   unknown       0 B   0 %  ··········',
      '',
      'leader   m1 → m2',
      'backup   /b.xz, 2.00 MiB in 256 KiB, verified, SHA-256 abababababababab…',
      'trim     /var/lib/etcd: 88.2 MiB (92484608 bytes) trimmed',
      'left alone: m3, cannot be reached',
      'warning: mind the gap',
      'completed · 1 min 05 s, 6.00 MiB reclaimed from 2 members',
    ])
  })

  it('counts what a Defragment without an answer gave back, once the file is seen to be smaller', () => {
    const small = reachable(m3, { dbSize: 2 << 20 })
    const after = { ...view, members: [...view.members.filter(({ member }) => member.id !== m3.id), small] }
    assert.ok(lines({ after }).includes('m3      8.00 MiB  2.00 MiB  6.00 MiB  75 %  ███████▌··'))
    assert.match(lines({ after }).at(-1) ?? '', /12\.0 MiB reclaimed from 3 members$/)
  })

  it('of a run that did nothing is one line with the reason', () => {
    const nothing = { steps: [], warnings: [] }
    const skipped = { kind: 'skipped', check: 'localLeads', because: 'm2 leads' } as const
    assert.deepEqual(lines({ ...nothing, verdict: skipped }), ['skipped: m2 leads · 1 min 05 s'])
    const failed = { kind: 'failed', fault: noSpace } as const
    assert.deepEqual(lines({ ...nothing, verdict: failed }), [
      'failed: backup to /b.xz: no space left · 1 min 05 s',
    ])
    const stopped = { kind: 'failed', fault: { kind: 'interrupted', by: 'SIGTERM' } } as const
    assert.deepEqual(lines({ ...nothing, verdict: stopped }), ['interrupted by SIGTERM · 1 min 05 s'])
  })
})

describe('the table of members', () => {
  it('does without the least needed columns where the terminal is narrow', () => {
    const width = (columns?: number) =>
      Math.max(
        ...statusText(view, undefined, colorsFor(false), columns)
          .split('\n')
          .slice(2, 6)
          .map(line => line.length),
      )
    assert.ok(width() > 100)
    assert.ok(width(100) <= 100)
    for (const columns of [undefined, 100, 20]) {
      const text = statusText(view, undefined, colorsFor(false), columns)
      for (const title of ['NAME', 'ROLE', 'DB SIZE', 'IN USE', 'RECLAIMABLE', 'HEALTH'])
        assert.match(text, new RegExp(title))
      assert.equal(/ENDPOINT/.test(text), columns === undefined)
    }
  })
})
