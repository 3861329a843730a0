import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bar, bytes, shown, span, table } from '../../src/report/format.js'
import { colorsFor } from '../../src/report/text.js'

const _MIB = 1 << 20
const _plain = colorsFor(false)

describe('bytes', () => {
  it('are told in three digits and the unit that fits', () => {
    const told = { 0: '0 B', 1023: '1023 B', 1024: '1.00 KiB', 5305795: '5.06 MiB', 213909504: '204 MiB' }
    for (const [count, words] of Object.entries(told)) assert.equal(bytes(Number(count)), words)
    assert.equal(bytes(2 ** 50), '1024 TiB')
  })

  it('are told to half a percent, in ten characters at most', () => {
    const count = fc.oneof(
      fc.nat(2 ** 31 - 1),
      fc.maxSafeNat().map(n => n % 2 ** 49),
      fc.double({ min: 0.1, max: 1e6, noNaN: true }),
    )
    const property = fc.property(count, n => {
      const [, amount, unit] = /^([\d.]{1,5}) ([KMGT]i)?B$/.exec(bytes(n)) ?? []
      const told = Number(amount) * 1024 ** ['', 'Ki', 'Mi', 'Gi', 'Ti'].indexOf(unit ?? '')
      assert.ok(Math.abs(told - n) <= Math.max(1, n * 0.006), `${n}: ${bytes(n)}`)
    })
    fc.assert(property)
  })
})

describe('a time span', () => {
  it('is told in the unit that fits', () => {
    const told = {
      0: '0 ms',
      85.4: '85 ms',
      1000: '1.00 s',
      3210: '3.21 s',
      12345: '12.3 s',
      59999: '1 min 00 s',
      245000: '4 min 05 s',
    }
    for (const [ms, words] of Object.entries(told)) assert.equal(span(Number(ms)), words)
  })

  it('is told to one percent', () => {
    const property = fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), ms => {
      const [, min, s, unit] = /^(?:(\d+) min )?(\d+(?:\.\d+)?) (ms|s)$/.exec(span(ms)) ?? []
      const told = Number(min ?? 0) * 60_000 + Number(s) * (unit === 's' ? 1000 : 1)
      assert.ok(Math.abs(told - ms) <= Math.max(0.5, ms * 0.01), `${ms}: ${span(ms)}`)
    })
    fc.assert(property)
  })
})

describe('a bar', () => {
  it('is as wide as asked, whatever its share, and fills in eighths', () => {
    assert.deepEqual([bar(0, 4), bar(1, 4), bar(0.5, 4)], ['····', '████', '██··'])
    assert.deepEqual([bar(1 / 32, 4), bar(-1, 2), bar(9, 2)], ['▏···', '··', '██'])
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fc.nat(50),
        (share, width) => bar(share, width).length === width,
      ),
    )
  })

  it('of nothing out of nothing is empty', () => assert.equal(bar(0 / 0, 4), '····'))
})

describe('a name', () => {
  it('is shown as it is when it is harmless and short', () => {
    for (const name of ['', 'etcd-1.example.org', 'münchen 漢字 🦊']) assert.equal(shown(name), name)
  })

  it('is never wider than asked, and holds nothing that a terminal would act on', () => {
    const any = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constant('🦊'.repeat(30)))
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 50 }), (name, width) => {
        assert.ok(shown(name, width).length <= width)
        assert.doesNotMatch(shown(name, width), /\p{C}/u)
      }),
    )
    assert.equal(shown('x'.repeat(1000)), `${'x'.repeat(39)}…`)
    assert.equal(shown('\x1b[31ma\nb\u202ec\x9bd'), '?[31ma?b?c?d')
  })
})

describe('a table', () => {
  it('has columns as wide as their widest cell, two blanks between them and none at the end', () => {
    const columns = [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }, { title: '' }] as const
    assert.deepEqual(
      table(columns, [
        ['a', '1', ''],
        ['a long one', '12345', 'x'],
      ]),
      ['NAME         SIZE', 'a               1', 'a long one  12345  x'],
    )
    assert.deepEqual(table(columns, []), ['NAME  SIZE'])
  })

  it('paints cells after they were made as wide as their column', () => {
    const painted = table(
      [{ title: 'A' }, { title: 'B' }],
      [['xx', 'y']],
      (cell, row, column) => `<${row}${column}${cell}>`,
    )
    assert.deepEqual(painted, ['<-10A >  <-11B>', '<00xx>  <01y>'])
  })
})
