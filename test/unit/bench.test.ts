import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fieldsOf } from '../../src/protobuf.js'
import { aimsTable } from '../bench/aims.js'
import { parse } from '../bench/commandLine.js'
import { detailsOf } from '../bench/details.js'
import { documentOf } from '../bench/document.js'
import { failuresOf, longestGap, longestOutside, mostAtOnce, type Operation, unionOf } from '../bench/gaps.js'
import { type Kind, kinds, objectOf } from '../bench/objects.js'
import { extentOf, ticksOf } from '../bench/plot.js'
import { ms, type Report } from '../bench/report.js'
import { figureText, tableMarkdown, tableText } from '../bench/show.js'
import { frontOf, inTurn, lineThrough, ratiosOf, summaryOf } from '../bench/statistics.js'
import { svgOf } from '../bench/svg.js'
import { phasesOf, spansOf } from '../bench/tools.js'

const acknowledged = (endedAt: number, isDone = true): Operation => ({
  client: 'm1',
  kind: 'write',
  dueAt: endedAt - 1,
  endedAt,
  isDone,
})

describe('gaps', () => {
  test('are between acknowledgements, whatever order they are told in; failures fill none', () => {
    const operations = [acknowledged(40), acknowledged(10), acknowledged(20), acknowledged(30, false)]
    assert.equal(longestGap(operations, { from: 0, until: 45 }), 20)
  })

  test('reach to the edges: nothing acknowledged at all is one gap', () => {
    assert.equal(longestGap([acknowledged(10)], { from: 0, until: 100 }), 90)
    assert.equal(longestGap([acknowledged(500)], { from: 0, until: 100 }), 100)
    assert.equal(longestGap([], { from: 5, until: 25 }), 20)
  })

  test('only get shorter by more acknowledgements, and never shorter than an even share', () => {
    const times = fc.array(fc.integer({ min: 1, max: 999 }), { maxLength: 40 })
    fc.assert(
      fc.property(times, times, (first, more) => {
        const gapOf = (all: readonly number[]) =>
          longestGap(
            all.map(at => acknowledged(at)),
            { from: 0, until: 1000 },
          )
        assert.ok(gapOf([...first, ...more]) <= gapOf(first))
        assert.ok(gapOf(first) >= 1000 / (first.length + 1) - 1e-9)
      }),
    )
  })

  test('beyond some spans, a silence counts for what of it lies outside of all of them, each silence by itself', () => {
    const done = [100, 110, 400, 410, 700, 1000].map(at => acknowledged(at))
    const span = { from: 90, until: 1010 }
    const outside = (...spans: readonly (readonly [number, number])[]) =>
      longestOutside(
        done,
        span,
        spans.map(([from, until]) => ({ from, until })),
      )
    assert.equal(outside(), longestGap(done, span))
    assert.equal(outside([120, 390], [130, 200]), 300)
    assert.equal(outside([110, 400], [410, 690], [705, 1000]), 10)
  })

  test('a failure counts where the operation was due, not where it was given up', () => {
    const late = { ...acknowledged(2000, false), dueAt: 10 }
    assert.deepEqual(failuresOf([late, acknowledged(50)], { from: 0, until: 100 }), { sent: 2, failed: 1 })
    assert.deepEqual(failuresOf([late], { from: 1000, until: 3000 }), { sent: 0, failed: 0 })
  })

  test('members out at once: one that ends as the next begins is not with it', () => {
    const span = (from: number, until: number) => ({ from, until })
    assert.equal(mostAtOnce([span(0, 10), span(10, 20)]), 1)
    assert.equal(mostAtOnce([span(0, 10), span(5, 20), span(9, 11)]), 3)
    assert.equal(mostAtOnce([]), 0)
    assert.equal(unionOf([span(0, 10), span(5, 20), span(30, 31)]), 21)
  })
})

describe('statistics', () => {
  test('a median is in the middle, with its range', () => {
    assert.deepEqual(summaryOf([3, 1, 2]), { median: 2, min: 1, max: 3, count: 3 })
    assert.deepEqual(summaryOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4, count: 4 })
    assert.throws(() => summaryOf([]), RangeError)
  })

  test('ratios are those of pairs', () => {
    assert.deepEqual(ratiosOf([1, 9], [2, 3]), [0.5, 3])
    assert.throws(() => ratiosOf([1], []), RangeError)
  })

  test('nothing beats a point on the front, and something there beats or equals every other', () => {
    const points = fc.array(
      fc.record({ x: fc.integer({ min: 0, max: 20 }), y: fc.integer({ min: 0, max: 20 }) }),
    )
    fc.assert(
      fc.property(points, all => {
        const front = frontOf(all)
        for (const on of front)
          assert.ok(!all.some(({ x, y }) => x <= on.x && y <= on.y && (x < on.x || y < on.y)))
        for (const each of all) assert.ok(front.some(({ x, y }) => x <= each.x && y <= each.y))
      }),
    )
  })

  test('each turn begins with another one, and none always comes after the same', () => {
    assert.deepEqual(
      [0, 1, 2, 3].map(n => inTurn(['a', 'b', 'c'], n).join('')),
      ['abc', 'bac', 'cab', 'acb'],
    )
    assert.deepEqual([inTurn(['a'], 1), inTurn([], 1)], [['a'], []])
  })

  test('a line through points on a line leads on along it', () => {
    const line = lineThrough([1, 2, 4].map(x => ({ x, y: 3 * x + 1 })))
    assert.ok(Math.abs(line(8) - 25) < 1e-9)
    assert.equal(lineThrough([{ x: 5, y: 7 }])(100), 7)
  })
})

describe('what is shown', () => {
  test('a figure is its median, and its range where there is one', () => {
    assert.equal(figureText({ unit: 'ms', values: [1234, 900, 15] }), '900 ms (15 ms .. 1.23 s)')
    assert.equal(figureText({ unit: 'ms', values: [52.1, 41.1, 88.3] }), '52.1 ms (41.1 .. 88.3)')
    assert.equal(figureText({ unit: 'bytes', values: [3 * 2 ** 29] }), '1.5 GiB')
    assert.equal(figureText({ unit: 'ratio', values: [] }), '-')
    assert.equal(figureText({ unit: 'count', values: [0, 0] }), '0')
  })

  test('a table has straight columns on a terminal, and survives a bar in Markdown', () => {
    const table = {
      title: 'T',
      columns: ['name', 'n'],
      rows: [['a|b', { unit: 'count', values: [12] } as const]],
    }
    assert.equal(tableText(table), 'T\nname   n\na|b   12')
    assert.match(tableMarkdown(table), /^\| a\\\|b \| 12 \|$/m)
  })

  test('ticks lie within what an axis shows, and are round', () => {
    assert.deepEqual(ticksOf('linear', 0, 10.6), [0, 5, 10])
    assert.deepEqual(ticksOf('linear', 0, 0.6), [0, 0.2, 0.4, 0.6])
    assert.deepEqual(ticksOf('log', 8, 1100), [10, 100, 1000])
    assert.deepEqual(ticksOf('log', 40, 160), [50, 100, 150])
    const axis = { label: '', scale: 'log' } as const
    const [low, high] = extentOf(axis, [0, 3, 70])
    assert.ok(low > 0 && low < 3 && high > 70)
  })

  const plot = {
    name: 'p',
    title: 'a < b & c',
    x: { label: 'x', scale: 'linear', names: ['one', 'two'] },
    y: { label: 'ms', scale: 'log' },
    series: [
      {
        name: 'first',
        isLine: true,
        points: [
          { x: 0, y: 10, low: 5, high: 20 },
          { x: 1, y: 1000, label: 'top' },
        ],
      },
      { name: 'second', isLine: false, points: [{ x: 0, y: 0 }] },
    ],
  } as const

  test('a plot is a picture whose tags close, whose text is escaped and whose numbers are numbers', () => {
    const svg = svgOf(plot)
    const open: string[] = []
    for (const [, end, name = '', rest = ''] of svg.matchAll(/<(\/?)([a-z]+)((?:[^>"]|"[^"]*")*)>/g)) {
      if (end === '/') assert.equal(open.pop(), name)
      else if (!rest.endsWith('/')) open.push(name)
    }
    assert.deepEqual(open, [])
    assert.match(svg, /a &lt; b &amp; c/)
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
    assert.match(svg, /prefers-color-scheme:dark/)
  })

  test('in a plot, more is higher, and a range reaches from its low to its high', () => {
    const circles = [...svgOf(plot).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ])
    const [low = [], high = []] = circles
    assert.ok((low[0] ?? 0) < (high[0] ?? 0), 'the second name is to the right')
    assert.ok((low[1] ?? 0) > (high[1] ?? 0), '1000 is above 10')
    const [, top, bottom] = /M[\d.]+ ([\d.]+)V([\d.]+)/.exec(svgOf(plot)) ?? []
    assert.ok(Number(top) > (low[1] ?? 0) && Number(bottom) < (low[1] ?? 0))
  })

  test('the document has every part once, in the order of the bench, with what it was measured on', () => {
    const machine = {
      cpu: 'a CPU',
      cores: 2,
      memoryBytes: 2 ** 34,
      disk: 'ext4 on /dev/vda',
      kernel: '6',
      program: 'packaged etcd-defrag 1',
      node: '24',
      etcd: '3.5',
      xz: '5',
      commit: 'c',
      load: 0,
    }
    const report = (part: string): Report => ({
      ...{
        format: 1,
        part,
        title: `of ${part}`,
        about: 'about',
        command: 'npm run bench',
        takenAt: '2026-01-02T03:04:05Z',
      },
      ...{
        tookMs: 60_000,
        machine,
        parameters: { size: 1 },
        tables: [],
        plots: [plot],
        notes: ['a note'],
        trials: [],
      },
    })
    const own = {
      title: 't',
      columns: ['database, tool', 'own'],
      rows: [
        ['26 MiB: etcd-defrag', ms([380, 400, 410])],
        ['1 GiB: etcd-defrag', ms([440, 460, 700])],
        ['1 GiB: shell script', ms([5200])],
      ],
    }
    const peaks = {
      title: 'peaks',
      columns: ['database', 'run'],
      rows: [['4 GiB', { unit: 'bytes', values: [100e6, 110e6, 201e6] } as const]],
    }
    const reports = [
      report('scale-size'),
      report('clients'),
      { ...report('own'), tables: [own] },
      { ...report('memory'), tables: [peaks] },
    ]
    const judged = tableMarkdown(aimsTable(reports))
    const text = detailsOf(reports)
    assert.throws(
      () => documentOf(reports, '.'),
      /tells of own of 256 MiB: etcd-defrag in own, which no result has/,
    )
    assert.match(judged, /\| time of a run that is not etcd’s \| 450 ms \| 460 ms \| no: [^|]+\|\n/)
    assert.match(judged, /\| the same, largest database by smallest \| 1.1 × \| 1.15 × \| no: [^|]+\|\n/)
    assert.match(judged, /\| peak of memory of a run, [^|]*\| 191 MiB \| 192 MiB at most \| no \|\n/)
    assert.ok(text.indexOf('## of clients') < text.indexOf('## of scale-size'))
    assert.match(
      text,
      /`npm run bench`: commit c, 2026-01-02, 1 min, size 0 MiB, load 0 before; a CPU, 2 cores, 16 GiB, ext4 on \/dev\/vda, Linux 6, packaged etcd-defrag 1 on Node 24, etcd 3\.5, xz 5\.\n/,
    )
    assert.match(text, /!\[a < b & c\]\(p\.svg\)/)
  })
})

describe('what is read', () => {
  test("the script's phases last until the next one begins", () => {
    const phases = phasesOf('followers 10.000000\nFinished defragmenting\nmove 12.500000\nend 12.750000\n')
    assert.deepEqual(phases, { followers: 2500, move: 250 })
  })

  test("a run's own times come from its document; a run without a backup took none for one", () => {
    const startedAt = Date.parse('2026-11-22T02:30:00Z')
    const at = (ms: number) => new Date(startedAt + ms).toISOString()
    const process = { startedAt, endedAt: startedAt + 250 }
    const steps = [
      { step: 'moveLeader', startedAt: at(200), tookMs: 5 },
      { step: 'moveLeader', startedAt: at(215), tookMs: 6 },
      {
        step: 'snapshot',
        startedAt: at(230),
        tookMs: 9,
        result: { snapshotMs: 1, compressMs: 2, verifyMs: 3, spooled: true },
      },
      { step: 'trim', startedAt: at(240), tookMs: 4 },
    ]
    const document = { startedAt: at(120), steps }
    assert.deepEqual(spansOf(JSON.stringify(document), process), {
      startMs: 120,
      firstLookMs: 80,
      betweenMs: 20,
      endMs: 6,
      moveLeaderMs: 11,
      snapshotMs: 1,
      compressMs: 2,
      verifyMs: 3,
      trimMs: 4,
    })
    const notSpooled = { ...document, steps: [{ ...steps[2], result: { spooled: false } }] }
    assert.throws(() => spansOf(JSON.stringify(notSpooled), process), /no room to spool/)
    assert.deepEqual(spansOf(JSON.stringify({ ...document, steps: [] }), process), {
      startMs: 120,
      firstLookMs: 0,
      betweenMs: 0,
      endMs: 130,
      moveLeaderMs: 0,
      snapshotMs: 0,
      compressMs: 0,
      verifyMs: 0,
      trimMs: 0,
    })
  })

  test('the command line: five repetitions at 1 GiB of all parts, and less when quick', () => {
    const whole = parse([])
    assert.deepEqual([whole.context.size, whole.context.repeat, whole.names.length], [2 ** 30, 5, 11])
    const quick = parse(['own', '--quick', '--size', '16MiB'])
    assert.deepEqual([quick.context.size, quick.context.repeat, quick.names], [2 ** 24, 1, ['own']])
    for (const wrong of [['onw'], ['--size', '1'], ['--repeat', '0'], ['--suite', 'bookworm']])
      assert.throws(() => parse(wrong), /npm run bench/, wrong.join(' '))
  })
})

describe('the objects that databases are made of', () => {
  const all = Object.keys(kinds) as Kind[]
  const digest = (seed: number): string => {
    const hash = createHash('sha256')
    for (const kind of all) for (let n = 0; n < 50; n++) hash.update(objectOf(kind, n, seed).value)
    return hash.digest('hex')
  }

  test('are the same for the same seed, and others for another', () => {
    assert.equal(digest(1), digest(1))
    assert.notEqual(digest(1), digest(2))
  })

  test('are what kube-apiserver stores: k8s\\0, then a runtime.Unknown with type and object', () => {
    for (const kind of all) {
      const { key, value } = objectOf(kind, 7, 1)
      assert.ok(key.startsWith('/registry/'), key)
      assert.equal(value.subarray(0, 4).toString('latin1'), 'k8s\0')
      const unknown = new Map(fieldsOf(value.subarray(4)))
      assert.deepEqual([...unknown.keys()], [1, 2, 3, 4])
      const type = new Map(fieldsOf(unknown.get(1) as Buffer))
      assert.equal(String(type.get(2)).toLowerCase(), kind.toLowerCase())
      const [[field, meta] = []] = fieldsOf(unknown.get(2) as Buffer)
      assert.equal(field, 1)
      const [[first, name] = []] = fieldsOf(meta as Buffer)
      assert.equal(first, 1)
      assert.ok(key.endsWith(`/${name}`), `${key} is that of ${name}`)
    }
  })

  test('leases and nodes are few keys with many versions, pods are many keys', () => {
    const keys = (kind: Kind) => new Set(Array.from({ length: 300 }, (_, n) => objectOf(kind, n, 1).key)).size
    assert.ok(keys('lease') <= 60 && keys('node') <= 60)
    assert.equal(keys('pod'), 300)
  })
})
