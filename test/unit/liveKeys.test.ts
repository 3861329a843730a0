import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LiveKeys, prefixOf } from '../../src/backup/liveKeys.js'
import { keyValue, revisionKey } from '../lab/boltFile.js'

describe('live keys', () => {
  it('are the latest versions that are not deleted, in whatever order they come', () => {
    const change = fc.record({
      key: fc.constantFrom('/a/b', '/a/c', '/d/e/f', 'plain'),
      size: fc.option(fc.nat(300)),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (changes, random) => {
        const latest = new Map<string, number>()
        const entries = changes.map(({ key, size }, i) => {
          if (size === null) latest.delete(key)
          else latest.set(key, key.length + size)
          const isDeleted = size === null
          const value = isDeleted ? undefined : Buffer.alloc(size)
          return [revisionKey(2 + Math.floor(i / 3), i % 3, isDeleted), keyValue(key, value)] as const
        })
        const live = new LiveKeys()
        const mixed = entries
          .map(entry => [random.next().value ?? 0, entry] as const)
          .sort(([a], [b]) => a - b)
        for (const [, [key, value]] of mixed) live.add(key, value)
        const found = live.end()
        assert.deepEqual(
          new Map(found?.largest.map(({ key, bytes }) => [key, bytes])),
          new Map([...latest].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))),
        )
        const sum = [...latest.values()].reduce((a, b) => a + b, 0)
        assert.deepEqual([found?.objects, found?.bytes], [latest.size, sum])
        assert.equal(
          found?.prefixes.reduce((total, { bytes }) => total + bytes, 0),
          sum,
        )
      }),
    )
  })

  it('of which the ten largest are told, the largest first', () => {
    const live = new LiveKeys()
    for (let i = 0; i < 100; i++)
      live.add(revisionKey(i + 2), keyValue(`/k/${i}`, Buffer.alloc((i * 37) % 100)))
    const sizes = live.end()?.largest.map(({ bytes }) => bytes) ?? []
    assert.equal(sizes.length, 10)
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => b - a),
    )
    assert.equal(sizes[0], 99 + '/k/27'.length)
  })

  it('pass over what is none of etcd', () => {
    const live = new LiveKeys()
    live.add(Buffer.from('short'), keyValue('/a', 'b'))
    live.add(revisionKey(2), Buffer.from([0xff]))
    live.add(revisionKey(3), Buffer.from([0x0a, 0x7f]))
    live.add(revisionKey(4), Buffer.alloc(0))
    assert.equal(live.end()?.objects, 0)
  })

  for (const [key, prefix] of [
    ['/registry/pods/default/web-0', '/registry/pods'],
    ['/registry/namespaces/default', '/registry/namespaces'],
    [
      '/registry/apiextensions.k8s.io/customresourcedefinitions/a.b.c',
      '/registry/apiextensions.k8s.io/customresourcedefinitions',
    ],
    ['/registry/health', '/registry'],
    ['/calico/v1/host/a', '/calico/v1'],
    ['/a.b/c.d/e/f', '/a.b/c.d'],
    ['a/b/c/d', 'a/b'],
    ['plain', ''],
  ] as const)
    it(`${key} counts under ${prefix === '' ? 'no prefix' : prefix}`, () =>
      assert.equal(prefixOf(key), prefix))
})
