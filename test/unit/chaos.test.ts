import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { draw } from '../chaos/draw.js'
import { type Acknowledged, type History, judgeHistory, longestGap, type Seen } from '../chaos/history.js'

/** Two writers, each with a key of its own, in turn; every write takes 5 of every 10 ms. */
const acknowledged: readonly Acknowledged[] = Array.from({ length: 8 }, (_, i) => ({
  client: `writer${i % 2}`,
  key: `k${i % 2}`,
  value: String(Math.floor(i / 2) + 1),
  revision: BigInt(10 + i),
  sentAt: i * 10,
  knownAt: i * 10 + 5,
}))
const seen: readonly Seen[] = acknowledged.map(({ key, value, revision }) => ({
  key,
  value,
  revision,
  version: BigInt(value),
}))
const sent = new Map(['k0', 'k1'].map(key => [key, ['1', '2', '3', '4', '5']]))
const judged = (changed: Partial<History>) => judgeHistory({ acknowledged, sent, seen, ...changed })
const replaced = <T>(all: readonly T[], at: number, changed: Partial<T>): readonly T[] =>
  all.map((one, i) => (i === at ? { ...one, ...changed } : one))

describe('the history of acknowledged writes', () => {
  test('is well where each is at its revision', () => {
    assert.deepEqual(judged({}), [])
  })

  test('may end with a write that nobody acknowledged', () => {
    const more = { key: 'k0', value: '5', revision: 18n, version: 5n }
    assert.deepEqual(judged({ seen: [...seen, more] }), [])
  })

  test('shows a lost write, the last one too', () => {
    assert.deepEqual(judged({ seen: seen.slice(0, -1) }), [
      'lost: k1=4, acknowledged at revision 17, is not there',
    ])
  })

  test('shows a lost write in the middle, by what is not there and by the versions around it', () => {
    assert.deepEqual(judged({ seen: seen.filter((_, i) => i !== 4) }), [
      'lost: k0=3, acknowledged at revision 14, is not there',
      'gap: k0 goes from version 2 to 4',
    ])
  })

  test('shows a key that began again from nothing', () => {
    const again = seen.map((put, i) => (i === 6 ? { ...put, version: 1n } : put))
    assert.deepEqual(judged({ seen: again }), ['gap: k0 goes from version 3 to 1'])
  })

  test('shows a write at another revision than the acknowledged one', () => {
    assert.deepEqual(judged({ acknowledged: replaced(acknowledged, 7, { revision: 19n }) }), [
      'moved: k1=4 was acknowledged at revision 19 and is at 17',
    ])
  })

  test('shows two writes of a key in the wrong order', () => {
    const swapped = replaced(replaced(seen, 4, { value: '4' }), 6, { value: '3' })
    assert.deepEqual(judged({ seen: swapped }), [
      'moved: k0=3 was acknowledged at revision 14 and is at 16',
      'moved: k0=4 was acknowledged at revision 16 and is at 14',
      'reordered: k0=3 comes after 4, and was sent before it',
    ])
  })

  test('shows a write that comes before one that was acknowledged before it was sent', () => {
    const late = replaced(acknowledged, 6, { revision: 12n })
    const found = judged({ acknowledged: late })
    assert.ok(
      found.includes('reordered: k0=4 has revision 12, and k1=3, acknowledged before it was sent, has 15'),
    )
  })

  test('says nothing of two writes that were under way at the same time', () => {
    const [first, second] = [acknowledged[0], acknowledged[1]]
    assert.ok(first && second)
    const writes = [
      { ...first, revision: 11n, knownAt: 15 },
      { ...second, revision: 10n, sentAt: 2 },
    ]
    const puts = [seen[1], seen[0]].map((put, i) => ({ ...(put as Seen), revision: BigInt(10 + i) }))
    assert.deepEqual(judged({ acknowledged: writes, seen: puts }), [])
  })

  test('shows revisions that go back', () => {
    const back = [...seen.slice(0, 4), ...seen.slice(4).toReversed()]
    assert.ok(judged({ seen: back }).includes('reordered: revision 16 comes after 17'))
  })

  test('shows a write that was applied twice, and one that nobody sent', () => {
    const last = seen.at(-1) as Seen
    const twice = [...seen, { ...last, revision: 18n, version: 5n }]
    assert.ok(judged({ seen: twice }).includes('twice: k1=4 is there again at revision 18'))
    const foreign = [...seen, { key: 'k0', value: '77', revision: 18n, version: 5n }]
    assert.ok(judged({ seen: foreign }).includes('foreign: k0=77 at revision 18 was never sent'))
  })

  test('has its longest gap between acknowledgements, or before the end', () => {
    assert.equal(longestGap(acknowledged, 0, 80), 10)
    assert.equal(longestGap(acknowledged.slice(0, 4), 0, 80), 45)
    assert.equal(longestGap([], 5, 80), 75)
  })
})

describe('what a run does', () => {
  test('comes from its seed and number alone', () => {
    for (const run of [0, 1, 17, 499]) assert.deepEqual(draw(7, run), draw(7, run))
    assert.notDeepEqual(draw(7, 1), draw(7, 2))
    assert.notDeepEqual(draw(7, 1), draw(8, 1))
  })

  test('neighbours share a cluster, and all kinds of clusters and faults come up', () => {
    const draws = Array.from({ length: 500 }, (_, run) => draw(3, run))
    assert.equal(new Set(draws.slice(10, 15).map(one => JSON.stringify(one.cluster))).size, 1)
    const kinds = new Set(draws.flatMap(one => one.faults.map(fault => fault.kind)))
    assert.equal(kinds.size, 12)
    const clusters = draws.map(({ cluster }) => cluster)
    assert.equal(new Set(clusters.map(({ suite, size }) => `${suite} ${size}`)).size, 6)
    assert.ok(clusters.some(({ learner }) => learner))
    for (const { faults, leader, local, cluster } of draws)
      assert.ok(faults.length <= 3 && leader < cluster.size && local < cluster.size)
  })

  test('no run is interrupted twice, and none sees its members change twice', () => {
    for (let run = 0; run < 500; run++) {
      const kinds = draw(5, run).faults.map(({ kind }) => kind)
      assert.ok(kinds.filter(kind => ['signal', 'killAndRunAgain'].includes(kind)).length <= 1)
      assert.ok(kinds.filter(kind => /^(add|remove)/.test(kind)).length <= 1)
    }
  })
})
