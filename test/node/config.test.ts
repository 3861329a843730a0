import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { optionNames, options, variableOf } from '../../src/config/options.js'
import { type Files, Node, noNode, type Variables } from '../lab/node.js'

const file = '/etc/etcd-defrag/config.yaml'
const pod = '/etc/kubernetes/manifests/etcd.yaml'
const manifest = (url: string): string =>
  `spec: {containers: [{command: [etcd, --listen-client-urls=${url}, --data-dir=/pod]}]}\n`

async function showConfig(files: Files, env: Variables = {}, args: readonly string[] = []) {
  await using node = await Node.create(files)
  return (await node.showConfig(args, env)).options
}

/** What status says on stderr when it does not even begin. */
async function refusal(files: Files, env: Variables = {}, args: readonly string[] = []): Promise<string> {
  await using node = await Node.create(files)
  const { code, stdout, stderr } = await node.etcdDefrag(['status', '--show-config', ...args], env)
  assert.deepEqual({ code, stdout }, { code: 78, stdout: '' }, stderr)
  return stderr.replace(/^etcd-defrag: /, '').trim()
}

describe('where a value comes from', { skip: noNode(), concurrency: 2 }, () => {
  test('a flag beats a variable, the file, a variable of etcdctl, discovery and the default, in this order', async () => {
    await using node = await Node.create({
      [file]: '# of this node\nendpoints: http://127.0.0.1:3\n',
      [pod]: manifest('http://127.0.0.1:5'),
    })
    const args = ['--endpoints', 'http://127.0.0.1:1']
    const etcdctl = { ETCDCTL_ENDPOINTS: 'http://127.0.0.1:4' }
    const env = { ETCD_DEFRAG_ENDPOINTS: 'http://127.0.0.1:2', ...etcdctl }
    const shown = async (given: readonly string[], variables: Variables) =>
      (await node.showConfig(given, variables)).options['endpoints']

    const seen = [await shown(args, env), await shown([], env), await shown([], etcdctl)]
    await node.remove(file)
    seen.push(await shown([], etcdctl), await shown([], {}))
    await node.remove(pod)
    seen.push(await shown([], {}))
    assert.deepEqual(seen, [
      { value: 'http://127.0.0.1:1', from: '--endpoints' },
      { value: 'http://127.0.0.1:2', from: 'ETCD_DEFRAG_ENDPOINTS' },
      { value: 'http://127.0.0.1:3', from: `${file}:2 endpoints` },
      { value: 'http://127.0.0.1:4', from: 'ETCDCTL_ENDPOINTS' },
      { value: 'http://127.0.0.1:5', from: `${pod} --listen-client-urls` },
      { value: 'http://127.0.0.1:2379', from: 'default' },
    ])
  })

  test('each option is looked for by itself', async () => {
    const files = {
      [file]: 'backup-path: /file\nsettle-timeout: 3s\n',
      [pod]: manifest('http://127.0.0.1:5'),
    }
    const env = {
      ETCD_DEFRAG_BACKUP_PATH: '/variable',
      ETCDCTL_DIAL_TIMEOUT: '4s',
      ETCDCTL_COMMAND_TIMEOUT: '4s',
    }
    const shown = await showConfig(files, env, ['--command-timeout', '1s'])
    assert.deepEqual(
      ['command-timeout', 'backup-path', 'settle-timeout', 'dial-timeout', 'data-dir', 'defrag-timeout'].map(
        name => [shown[name]?.value, shown[name]?.from],
      ),
      [
        ['1s', '--command-timeout'],
        ['/variable', 'ETCD_DEFRAG_BACKUP_PATH'],
        ['3s', `${file}:2 settle-timeout`],
        ['4s', 'ETCDCTL_DIAL_TIMEOUT'],
        ['/pod', `${pod} --data-dir`],
        ['10m', 'default'],
      ],
    )
  })

  test('every option is shown, and takes its variable', async () => {
    const values: Readonly<Record<string, string>> = {
      endpoints: 'http://127.0.0.1:1',
      config: file,
      user: 'someone:word',
    }
    const sample = (name: (typeof optionNames)[number]) => {
      const { shape } = options[name]
      const samples: Readonly<Record<string, string>> = { '': 'true', DURATION: '7s', N: '3' }
      return values[name] ?? samples[shape] ?? `/${name}`
    }
    const names = optionNames.filter(name => !name.startsWith('password') && name !== 'output')
    const env = Object.fromEntries(names.map(name => [variableOf(name), sample(name)]))
    const shown = await showConfig({ [file]: '' }, env)
    assert.deepEqual(Object.keys(shown), [...optionNames])
    assert.deepEqual(
      names.map(name => shown[name]?.from),
      names.map(variableOf),
    )
  })

  test('a switch is put off and on in every source', async () => {
    const files = { [file]: 'backup: no\nforce-single: on\n' }
    const off = await showConfig(files)
    assert.deepEqual([off['backup']?.value, off['force-single']?.value], ['no', 'on'])
    const env = { ETCD_DEFRAG_BACKUP: 'true', ETCD_DEFRAG_FORCE_SINGLE: '0', ETCD_DEFRAG_TRIM: 'FALSE' }
    const variables = await showConfig(files, env)
    assert.deepEqual(
      [variables['backup']?.value, variables['force-single']?.value, variables['trim']?.value],
      ['true', '0', 'FALSE'],
    )
    const flags = await showConfig(files, env, ['--no-backup', '--force-single', '--trim'])
    assert.deepEqual(
      [flags['backup']?.value, flags['force-single']?.value, flags['trim']?.value],
      ['false', 'true', 'true'],
    )
  })

  test('--config names another file, and so does ETCD_DEFRAG_CONFIG', async () => {
    const files = { [file]: 'backup-path: /usual\n', '/root/a.yaml': 'backup-path: /a\n', '/root/b.yaml': '' }
    const env = { ETCD_DEFRAG_CONFIG: '/root/a.yaml' }
    assert.deepEqual((await showConfig(files, env))['backup-path'], {
      value: '/a',
      from: '/root/a.yaml:1 backup-path',
    })
    assert.equal((await showConfig(files, env, ['--config', '/root/b.yaml']))['backup-path']?.from, 'default')
  })
})

describe('the configuration file', { skip: noNode(), concurrency: 2 }, () => {
  for (const [what, text] of [
    ['is empty', ''],
    ['holds comments only', '# backup-path: /x\n\n# no more\n'],
    ['holds the start of a document only', '---\n# nothing\n'],
    ['names options without values', 'backup-path:\ntrim: ~\n'],
  ] as const)
    test(`changes nothing when it ${what}`, async () => {
      const shown = await showConfig({ [file]: text })
      assert.deepEqual(
        Object.values(shown).filter(({ from }) => from.startsWith(file)),
        [],
      )
      assert.equal(shown['backup-path']?.from, 'default')
    })

  test('takes endpoints as a list and as text', async () => {
    const value = 'https://127.0.0.1:1,https://127.0.0.1:2'
    const list = 'endpoints:\n  - https://127.0.0.1:1\n  - "https://127.0.0.1:2"\n'
    for (const text of [list, `endpoints: ${value}\n`])
      assert.equal((await showConfig({ [file]: text }))['endpoints']?.value, value)
  })

  for (const [what, text, message] of [
    [
      'an option that is misspelt',
      '# a\n\nbackup: no\nbackup-pth: /x\n',
      `${file}:4: "backup-pth" is no option; did you mean backup-path?`,
    ],
    ['a word that is like no option', 'xyzzy: 1\n', `${file}:1: "xyzzy" is no option`],
    ['an option that only a flag can give', 'config: /x\n', `${file}:1: "config" is no option`],
    ['an option twice', 'trim: no\ntrim: yes\n', `${file}:2: is not YAML: Map keys must be unique`],
    ['broken YAML', 'trim: no\nbackup-path: "/x\n', /config\.yaml:3: is not YAML: Missing closing "quote$/],
    ['a list', '- trim\n', `${file}:1: expected lines such as "backup-path: /root/etcd-backup.xz"`],
    [
      'a map for a value',
      'trim: no\nbackup-path: {a: b}\n',
      `${file}:2 backup-path: expected a single value`,
    ],
    ['a list for a single path', 'backup-path: [/a, /b]\n', `${file}:1 backup-path: expected a single value`],
    ['a list for a switch', 'trim: [no]\n', `${file}:1 trim: expected a single value`],
    [
      'a number for a path',
      'trim: no\nbackup-path: 5\n',
      /:2 backup-path: is "5"; expected an absolute path$/,
    ],
    [
      'a duration without unit',
      'dial-timeout: 5\n',
      /:1 dial-timeout: is "5"; expected a duration such as 5s/,
    ],
    ['a switch that is neither', 'trim: maybe\n', /:1 trim: is "maybe"; expected true or false$/],
    [
      'an endpoint without port',
      'endpoints: [etcd]\n',
      /:1 endpoints: has "etcd"; expected http:\/\/HOST:PORT/,
    ],
  ] as const)
    test(`is refused, with its line, for ${what}`, async () => {
      const said = await refusal({ [file]: text })
      if (typeof message === 'string') assert.equal(said, message)
      else assert.match(said, message)
    })

  test('is refused when it cannot be read; only the usual one may be absent', async () => {
    assert.equal(await refusal({}, {}, ['--config', '/nope.yaml']), '/nope.yaml: cannot be read (ENOENT)')
    assert.equal(await refusal({}, { ETCD_DEFRAG_CONFIG: '/etc' }), '/etc: cannot be read (EISDIR)')
    assert.match(await refusal({}, {}, ['--config', 'here.yaml']), /^--config: .*expected an absolute path$/)
  })
})

describe('variables', { skip: noNode(), concurrency: 2 }, () => {
  test('an unknown ETCD_DEFRAG_ variable is refused, and the nearest known one named', async () => {
    assert.equal(
      await refusal({}, { ETCD_DEFRAG_BAKUP_PATH: '/x' }),
      'ETCD_DEFRAG_BAKUP_PATH: is no variable of etcd-defrag; did you mean ETCD_DEFRAG_BACKUP_PATH?',
    )
    assert.equal(
      await refusal({}, { ETCD_DEFRAG_XYZZY: '1' }),
      'ETCD_DEFRAG_XYZZY: is no variable of etcd-defrag',
    )
  })

  test('an empty variable is as good as none', async () => {
    const env = { ETCD_DEFRAG_BACKUP_PATH: '', ETCD_DEFRAG_XYZZY: '', ETCDCTL_ENDPOINTS: '' }
    const shown = await showConfig({ [file]: 'backup-path: /file\n' }, env)
    assert.equal(shown['backup-path']?.value, '/file')
    assert.equal(shown['endpoints']?.from, 'default')
  })

  test('a value that cannot be is refused by the name of its variable', async () => {
    assert.equal(
      await refusal({}, { ETCD_DEFRAG_FORCE_SINGLE: 'maybe' }),
      'ETCD_DEFRAG_FORCE_SINGLE: is "maybe"; expected true or false',
    )
    assert.match(await refusal({}, { ETCDCTL_DIAL_TIMEOUT: 'soon' }), /^ETCDCTL_DIAL_TIMEOUT: is "soon"; /)
  })

  test('what etcdctl knows and we do not is left to etcdctl', async () => {
    const shown = await showConfig(
      {},
      { ETCDCTL_API: '3', ETCDCTL_WRITE_OUT: 'json', ETCDCTL_KEY_FILE: '/x' },
    )
    assert.deepEqual(
      Object.values(shown).filter(({ from }) => from.startsWith('ETCDCTL')),
      [],
    )
  })
})
