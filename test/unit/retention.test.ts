import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Retention, retained } from '../../src/model/retention.js'

const at = (time: string) => Date.parse(`${time}:00Z`)
const kept = (times: readonly string[], retention: Partial<Retention>): readonly string[] => {
  const chosen = retained(times.map(at), { keep: 1, daily: 0, weekly: 0, ...retention })
  return times.filter((_, i) => chosen[i])
}

describe('of the archives', () => {
  // 2026-11-16 was a Monday.
  const nights = [
    '2026-11-22T02:30', // Sunday
    '2026-11-21T14:00',
    '2026-11-21T02:30',
    '2026-11-20T02:30',
    '2026-11-16T02:30',
    '2026-11-15T02:30',
    '2026-11-09T02:30',
    '2026-10-31T02:30',
  ]

  for (const [words, retention, expected] of [
    ['the newest alone is kept by default', {}, [0]],
    ['so many of the newest are kept', { keep: 3 }, [0, 1, 2]],
    ['the newest of each day is kept', { daily: 3 }, [0, 1, 3]],
    ['a day without any does not count', { daily: 4 }, [0, 1, 3, 4]],
    ['the newest of each week is kept, from Monday to Sunday', { weekly: 2 }, [0, 5]],
    ['a week without any does not count', { weekly: 4 }, [0, 5, 7]],
    ['the rules add up', { keep: 2, daily: 3, weekly: 3 }, [0, 1, 3, 5, 7]],
    ['all are kept where there are fewer', { keep: 100 }, [0, 1, 2, 3, 4, 5, 6, 7]],
  ] as readonly (readonly [string, Partial<Retention>, readonly number[]])[])
    it(words, () => {
      assert.deepEqual(
        kept(nights, retention),
        expected.map(i => nights[i]),
      )
    })

  it('the newest is always kept, whatever the clock said, and asking for more never keeps less', () => {
    const times = fc.array(fc.integer({ min: 0, max: 2_000_000_000_000 }), { minLength: 1, maxLength: 40 })
    const number = fc.integer({ min: 0, max: 10 })
    const retention = fc.record({ keep: fc.integer({ min: 1, max: 10 }), daily: number, weekly: number })
    const property = fc.property(times, retention, (taken, wanted) => {
      const chosen = retained(taken, wanted)
      assert.equal(chosen[0], true)
      const { keep, daily, weekly } = wanted
      const more = retained(taken, { keep: keep + 1, daily: daily + 1, weekly: weekly + 1 })
      for (const [i, isKept] of chosen.entries()) assert.ok(!isKept || more[i])
      assert.ok(chosen.filter(isKept => isKept).length <= keep + daily + weekly)
    })
    fc.assert(property)
  })
})
