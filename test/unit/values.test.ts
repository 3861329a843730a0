import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readConfigFile } from '../../src/config/file.js'
import { didYouMean, etcdctlVariables, ownVariables } from '../../src/config/sources.js'
import { duration, endpoints, flag, oneOf, type Parse, path, text } from '../../src/config/values.js'
import { Failure } from '../../src/model/fault.js'
import { temporary } from './fixtures.js'

const parsers: readonly Parse<unknown>[] = [text, flag, duration, path, endpoints, oneOf('text', 'json')]

/** Each value is refused, and the message holds the words. */
function refuses(parse: Parse<unknown>, values: readonly string[], words: RegExp): void {
  for (const value of values) assert.throws(() => parse(value), { message: words }, JSON.stringify(value))
}

describe('a duration', () => {
  it('is written as Go and etcdctl write it', () => {
    const written = { '5s': 5000, '500ms': 500, '1m30s': 90_000, '1.5s': 1500, '1h0m1s': 3_601_000 }
    for (const [value, ms] of Object.entries(written)) assert.equal(duration(value), ms, value)
  })

  it('of less than a millisecond is one, not none', () => assert.equal(duration('0.01ms'), 1))

  it('without a unit, or of anything else, is refused', () => {
    const values = ['', '5', 's', '-5s', '5 s', '5S', '1d', '5s ', '\n5s', 's5', '1e3s', '1.2.3s', '٥s']
    refuses(duration, values, /^is ".*"; expected a duration such as 5s, 500ms or 1m30s$/)
  })

  it('of nothing, or of more than a day, is refused', () => {
    const values = ['0s', '0ms', '24h1ms', '100000h', `${'9'.repeat(400)}h`]
    refuses(duration, values, /^is ".*"; expected more than 0 and at most 24h$/)
    assert.equal(duration('24h'), 86_400_000)
  })
})

describe('a switch', () => {
  it('is true or false as YAML, etcdctl and people write it, in any case', () => {
    for (const value of ['true', 'TRUE', 'yes', 'on', '1']) assert.equal(flag(value), true)
    for (const value of ['false', 'False', 'no', 'off', '0']) assert.equal(flag(value), false)
  })

  it('is nothing else', () => {
    refuses(flag, ['', 'ja', '2', ' true', 'true\n', 'truefalse'], /; expected true or false$/)
  })
})

describe('a path', () => {
  it('is absolute, and stays as it is written', () => {
    for (const value of ['/', '/root/etcd-backup.xz', '/a b/ü', '//a/../b']) assert.equal(path(value), value)
    refuses(path, ['', 'etcd.xz', './x', '~/x', ' /x'], /; expected an absolute path$/)
    refuses(path, ['/a\0b'], /^holds a zero byte$/)
  })
})

describe('endpoints', () => {
  it('may be hosts, IPv4 and IPv6 addresses and sockets, with and without a scheme', () => {
    for (const value of [
      ...['http://127.0.0.1:2379', 'https://etcd-1.example.org:2379', 'localhost:2379', '10.0.0.1:1'],
      ...['[::1]:2379', 'https://[2001:db8::1]:65535', 'http://[::ffff:10.0.0.1]:2379', 'a_b:2379'],
      ...['unix:/run/etcd.sock', 'unix:///run/etcd.sock', 'unix:etcd.sock'],
    ])
      assert.deepEqual(endpoints(value), [value])
  })

  it('may be several, in their order, with blanks between them', () => {
    assert.deepEqual(endpoints(' a:1 , https://b:2,[::1]:3'), ['a:1', 'https://b:2', '[::1]:3'])
  })

  it('lose the slash at the end of a URL', () => assert.deepEqual(endpoints('http://a:1/'), ['http://a:1']))

  it('that are none are refused, and the message says which one', () => {
    const junk = [
      ...['', 'localhost', 'http://localhost', 'ftp://a:1', 'http:/a:1', 'http://a:1/v3', 'http://a:1//'],
      ...['::1:2379', '[::1]', '[::g]:1', '[]:1', 'a:', ':2379', 'a:1:2', 'a:-1', 'a:1x', 'a:123456'],
      ...['http://a:1?x', 'a b:1', 'unix:', 'unix:///', 'a:1\nb'],
    ]
    for (const value of junk) {
      refuses(endpoints, [value, `good:1,${value}`], /^has ".*"; expected http:\/\/HOST:PORT, /)
      assert.throws(() => endpoints(`good:1,${value}`), { message: new RegExp(`^has ${escaped(value)}; `) })
    }
    refuses(endpoints, ['a:1,', ',a:1', 'a:1,,b:2'], /^has ""; expected /)
    refuses(endpoints, ['https://root:hunter2@a:1'], /^holds a user; set --user and --password-file instead$/)
  })

  it('have a port between 1 and 65535', () => {
    refuses(endpoints, ['a:0', 'a:65536', 'a:99999', '[::1]:00000'], /^has ".*", and \d+ is no port; /)
  })
})

/** A pattern for the text as a message quotes it. */
const escaped = (value: string) => JSON.stringify(value).replaceAll(/[\\/[\]().*+?^${}|]/g, '\\$&')

describe('any text at all', () => {
  it('is a value or is refused in one short line', () => {
    const likely = fc.string({ unit: fc.constantFrom(...'1:/.,[]smhux%@ unix:'), maxLength: 200 })
    const any = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), likely)
    const property = fc.property(any, value => {
      for (const parse of parsers)
        try {
          parse(value)
        } catch (error) {
          assert.ok(error instanceof Error)
          assert.equal(error.constructor, Error)
          assert.ok(error.message.length > 5 && error.message.length < 500)
          assert.doesNotMatch(error.message, /[\n\r]/)
        }
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('is judged at once, be it a megabyte of what nearly fits', () => {
    for (const part of ['1s', '1', 'a', '[', ':', ',', 'unix:/', '1.1h'])
      for (const parse of parsers) {
        const from = performance.now()
        try {
          parse(part.repeat(1e6 / part.length))
        } catch {} // what it says was looked at above
        assert.ok(performance.now() - from < 1000, part)
      }
  })
})

describe('a misspelt word', () => {
  const known = ['backup', 'backup-path', 'trim', 'data-dir']
  it('is answered with the nearest known one', () => {
    assert.equal(didYouMean('bakcup', known), '; did you mean backup?')
    assert.equal(didYouMean('backup_path', known), '; did you mean backup-path?')
    assert.equal(didYouMean('data', ['data-dir']), '')
  })

  it('is answered with nothing when nothing is near', () => {
    assert.equal(didYouMean('password', known), '')
    assert.equal(didYouMean('x', []), '')
  })
})

describe('a variable', () => {
  it('of the prefix ETCD_DEFRAG_ is an option', () => {
    const found = ownVariables({ ETCD_DEFRAG_BACKUP_PATH: '/x', ETCD_DEFRAG_TRIM: '', HOME: '/' })
    assert.deepEqual(found, { 'backup-path': { text: '/x', where: 'ETCD_DEFRAG_BACKUP_PATH' } })
  })

  it('of that prefix that is none is refused', () => {
    assert.throws(() => ownVariables({ ETCD_DEFRAG_BACKUP_PAHT: '/x' }), {
      message:
        'ETCD_DEFRAG_BACKUP_PAHT: is no variable of etcd-defrag; did you mean ETCD_DEFRAG_BACKUP_PATH?',
    })
  })

  it('of etcdctl counts where it means the same, and is left alone else', () => {
    const found = etcdctlVariables({ ETCDCTL_ENDPOINTS: 'a:1', ETCDCTL_API: '3', ETCDCTL_CERT: '' })
    assert.deepEqual(found, { endpoints: { text: 'a:1', where: 'ETCDCTL_ENDPOINTS' } })
  })
})

describe('the configuration file', () => {
  /** What is read from a file with that text, or its fault with FILE for the file's name. */
  async function read(content: string) {
    await using folder = await temporary()
    const file = join(folder.path, 'config.yaml')
    await writeFile(file, content)
    try {
      const found = Object.entries(await readConfigFile(file, true))
      return Object.fromEntries(
        found.map(([name, { text: value, where }]) => [name, [value, where.replace(file, 'FILE')]]),
      )
    } catch (error) {
      assert.ok(error instanceof Failure, String(error))
      assert.equal(error.fault.kind, 'config')
      return error.message.replace(file, 'FILE')
    }
  }

  it('gives options with the line each stands in', async () => {
    const content = `# weekly
backup-path: "/var/backups/etcd.xz"

endpoints:
  - https://a:2379
  - https://b:2379
backup: no
dial-timeout: 5s
user: 007
trim:
`
    assert.deepEqual(await read(content), {
      'backup-path': ['/var/backups/etcd.xz', 'FILE:2 backup-path'],
      endpoints: ['https://a:2379,https://b:2379', 'FILE:4 endpoints'],
      backup: ['no', 'FILE:7 backup'],
      'dial-timeout': ['5s', 'FILE:8 dial-timeout'],
      user: ['007', 'FILE:9 user'],
    })
  })

  it('may be empty', async () => {
    for (const content of ['', '\n', '# nothing\n', '---\n']) assert.deepEqual(await read(content), {})
  })

  for (const [what, content, message] of [
    ['an unknown option', 'trim: no\nbakcup: no\n', 'FILE:2: "bakcup" is no option; did you mean backup?'],
    ['an option that cannot stand there', 'config: /x\n', 'FILE:1: "config" is no option'],
    ['a map for a value', 'trim: no\nuser:\n  name: x\n', 'FILE:2 user: expected a single value'],
    ['a list in a list', 'endpoints: [[a:1]]\n', 'FILE:1 endpoints: expected a single value'],
    ['an alias', 'user: &x y\npassword: *x\n', 'FILE:2 password: expected a single value'],
    ['an option twice', 'trim: no\ntrim: yes\n', 'FILE:2: is not YAML: Map keys must be unique'],
    ['a key that is a list', 'trim: no\n? [a]\n: b\n', /^FILE:2: .*is no option/],
    ['a list', '- a\n', 'FILE:1: expected lines such as "backup-path: /root/etcd-backup.xz"'],
    ['a text', '\nnothing\n', 'FILE:2: expected lines such as "backup-path: /root/etcd-backup.xz"'],
    ['a quote that is open', 'trim: no\nuser: "x\n', /^FILE:[23]: is not YAML: /],
    ['a tab for blanks', 'endpoints:\n\t- a:1\n', /^FILE:2: is not YAML: /],
    ['two documents', 'trim: no\n---\ntrim: yes\n', /^FILE:\d: is not YAML: /],
  ] as const)
    it(`is refused with the line of ${what}`, async () => {
      const said = await read(content)
      if (typeof message === 'string') assert.equal(said, message)
      else assert.match(String(said), message)
      assert.doesNotMatch(String(said), /\n/)
    })

  it('may be missing unless it was asked for', async () => {
    await using folder = await temporary()
    const file = join(folder.path, 'config.yaml')
    assert.deepEqual(await readConfigFile(file, false), {})
    await assert.rejects(readConfigFile(file, true), { message: `${file}: cannot be read (ENOENT)` })
    await mkdir(file)
    await assert.rejects(readConfigFile(file, false), { message: `${file}: cannot be read (EISDIR)` })
  })

  it('of any text gives options or a fault, never another error', async () => {
    await using folder = await temporary()
    const file = join(folder.path, 'config.yaml')
    const word = fc.constantFrom(
      'trim',
      'user',
      ': ',
      '\n',
      ' ',
      '- ',
      '[',
      '{',
      ']',
      '*a',
      '&a ',
      '"',
      '|',
      '? ',
      '!!',
      '%',
      '~',
    )
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 12 }).map(words => words.join('')),
    )
    const property = fc.asyncProperty(any, async content => {
      await writeFile(file, content)
      await readConfigFile(file, true).catch(error => assert.ok(error instanceof Failure, String(error)))
    })
    await fc.assert(property, { numRuns: 300 })
  })
})
