import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Authority } from '../lab/certificates.js'
import { Cluster } from '../lab/cluster.js'
import { type Files, Node, noNode } from '../lab/node.js'
import { certificates, debian, manifest, pki, pod, reach, shown, valuesOf } from './places.js'

/** A certificate in the place of the server's that no server takes from a client, and its key. */
async function serverOnly(): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-pair-'))
  try {
    await (await Authority.create(folder)).issue('server', { usages: ['serverAuth'] })
    return await certificates(folder, {
      [`${pki}/server.crt`]: 'server.crt',
      [`${pki}/server.key`]: 'server.key',
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('on a node with a static pod of etcd', { skip: noNode(), concurrency: 2 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ size: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())
  const urlOf = () => cluster.members[0]?.clientUrl ?? ''
  const here = (places: Readonly<Record<string, string>>) => certificates(join(cluster.folder, 'pki'), places)
  const server = {
    [`${pki}/ca.crt`]: 'ca.crt',
    [`${pki}/server.crt`]: 'server.crt',
    [`${pki}/server.key`]: 'server.key',
  }
  const flags = [
    'etcd',
    '--client-cert-auth=true',
    `--cert-file=${pki}/server.crt`,
    `--key-file=${pki}/server.key`,
    `--trusted-ca-file=${pki}/ca.crt`,
  ]

  test('the command connects by its flags alone', async () => {
    const command = [
      ...flags,
      `--listen-client-urls=https://192.0.2.1:2379,${urlOf()}`,
      '--data-dir=/var/lib/etcd',
    ]
    assert.equal(await reach({ ...(await here(server)), [pod]: manifest(command) }), urlOf())
  })

  test('the liveness probe bounds how long a member may be out, by less than the probes that kill it take', async () => {
    const stall = async (probe: object) => {
      await using node = await Node.create({ ...(await here(server)), [pod]: manifest(flags, { probe }) })
      const { 'max-stall': found } = (await node.showConfig()).options
      return [found?.value, found?.from]
    }
    // kubeadm's, and Kubernetes' own defaults.
    assert.deepEqual(await stall({ periodSeconds: 10, timeoutSeconds: 15, failureThreshold: 8 }), [
      '70000ms',
      `${pod} livenessProbe`,
    ])
    assert.deepEqual(await stall({ httpGet: { path: '/health' } }), ['20000ms', `${pod} livenessProbe`])
    assert.deepEqual(await stall({ failureThreshold: 1, timeoutSeconds: 5 }), [
      '5000ms',
      `${pod} livenessProbe`,
    ])
  })

  test('flags may have their value behind them, stand in args, or be variables', async () => {
    const split = flags.flatMap(flag => flag.split('='))
    const files = await here(server)
    const all = {
      endpoints: urlOf(),
      cacert: `${pki}/ca.crt`,
      cert: `${pki}/server.crt`,
      key: `${pki}/server.key`,
    }
    for (const [command, options] of [
      [[...split, '--listen-client-urls', urlOf()], {}],
      [['/usr/local/bin/etcd'], { args: [...flags.slice(1), `-listen-client-urls=${urlOf()}`] }],
      [
        ['etcd', `--cert-file=${pki}/server.crt`],
        {
          env: {
            ETCD_LISTEN_CLIENT_URLS: urlOf(),
            ETCD_CERT_FILE: '/overridden/by/the/flag.crt',
            ETCD_KEY_FILE: `${pki}/server.key`,
            ETCD_TRUSTED_CA_FILE: `${pki}/ca.crt`,
          },
        },
      ],
    ] as const) {
      const config = await shown({ ...files, [pod]: manifest(command, options) })
      assert.deepEqual(valuesOf(config, ...Object.keys(all)), Object.values(all), JSON.stringify(command))
    }
  })

  test('of several client URLs the loopback one is taken, and loopback for all addresses', async () => {
    for (const [urls, url] of [
      ['https://192.0.2.1:2379,https://127.0.0.1:2379', 'https://127.0.0.1:2379'],
      ['https://[2001:db8::1]:2379,https://[::1]:2379', 'https://[::1]:2379'],
      ['https://0.0.0.0:2380', 'https://127.0.0.1:2380'],
      ['https://[::]:2379', 'https://[::1]:2379'],
      ['https://192.0.2.1:2379', 'https://192.0.2.1:2379'],
    ] as const) {
      const config = await shown({ [pod]: manifest(['etcd', `--listen-client-urls=${urls}`]) })
      assert.deepEqual(config.options['endpoints'], { value: url, from: `${pod} --listen-client-urls` })
    }
  })

  test('paths in the container become those of the host', async () => {
    const command = [
      'etcd',
      '--data-dir=/data/member-1',
      '--cert-file=/pki/server.crt',
      '--key-file=/pki/server.key',
      '--trusted-ca-file=/pki/ca.crt',
      `--listen-client-urls=${urlOf()}`,
    ]
    const mounts = { '/': '/never', '/data': '/srv/fast disk/etcd', '/pki': pki }
    const files = { ...(await here(server)), [pod]: manifest(command, { mounts }) }
    const config = await shown(files)
    assert.deepEqual(config.options['data-dir'], {
      value: '/srv/fast disk/etcd/member-1',
      from: `${pod} --data-dir`,
    })
    assert.deepEqual(valuesOf(config, 'cert', 'cacert'), [`${pki}/server.crt`, `${pki}/ca.crt`])
    assert.equal(await reach(files), urlOf())
  })

  test('a slash behind a mount path changes nothing', async () => {
    const mounts = { '/data/': '/srv/etcd' }
    const config = await shown({ [pod]: manifest(['etcd', '--data-dir=/data'], { mounts }) })
    assert.deepEqual(valuesOf(config, 'data-dir'), ['/srv/etcd'])
  })

  test('its quota is known', async () => {
    const config = await shown({ [pod]: manifest(['etcd', '--quota-backend-bytes=8589934592']) })
    assert.equal(config.quota, 8_589_934_592)
    assert.equal((await shown({ [pod]: manifest(['etcd']) })).quota, null)
  })

  test('a server certificate that is not for clients is passed over for healthcheck-client', async () => {
    const files = {
      ...(await here({
        ...server,
        [`${pki}/healthcheck-client.crt`]: 'client.crt',
        [`${pki}/healthcheck-client.key`]: 'client.key',
      })),
      ...(await serverOnly()),
      [pod]: manifest([...flags, `--listen-client-urls=${urlOf()}`]),
    }
    const config = await shown(files)
    assert.deepEqual(valuesOf(config, 'cert', 'key'), [
      `${pki}/healthcheck-client.crt`,
      `${pki}/healthcheck-client.key`,
    ])
    assert.equal(await reach(files), urlOf())
  })
})

describe('what stands in the way of discovery', { skip: noNode(), concurrency: 2 }, () => {
  const next = { [debian]: 'ETCD_LISTEN_CLIENT_URLS="http://127.0.0.1:2399"\n' }

  for (const [what, text, note] of [
    ['is not YAML', 'spec: {containers: [\n', /^\/etc\/kubernetes\/manifests\/etcd\.yaml: is not YAML: ./],
    [
      'runs no etcd',
      manifest(['kube-apiserver', '--etcd-servers=https://127.0.0.1:2379']),
      /no container there runs etcd$/,
    ],
    ['is empty', '', /no container there runs etcd$/],
    ['is not a pod at all', '- 1\n', /no container there runs etcd$/],
    ['has containers that are none', 'spec: {containers: {a: b}}\n', /no container there runs etcd$/],
    ['has empty containers', 'spec: {containers: [~, 5]}\n', /no container there runs etcd$/],
  ] as const)
    test(`a manifest that ${what} leaves a note, and the next source is asked`, async () => {
      const config = await shown({ ...next, [pod]: text })
      assert.match(config.notes.join('\n'), note)
      assert.deepEqual(valuesOf(config, 'endpoints'), ['http://127.0.0.1:2399'])
    })

  test('certificates that cannot be read leave a note where etcd asks for one', async () => {
    const command = [
      'etcd',
      '--client-cert-auth',
      `--cert-file=${pki}/server.crt`,
      `--key-file=${pki}/server.key`,
    ]
    const config = await shown({ [pod]: manifest(command) })
    assert.deepEqual(config.notes, [`${pod}: no client certificate there can be read`])
    assert.deepEqual(valuesOf(config, 'cert', 'key'), ['', ''])
  })

  test('what stood in the way is told when etcd cannot be reached then', async () => {
    await using node = await Node.create({
      [pod]: 'spec: [\n',
      [debian]: 'ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:1\n',
    })
    const { code, stderr } = await node.etcdDefrag(['status'])
    assert.equal(code, 69)
    assert.match(stderr, /http:\/\/127\.0\.0\.1:1: .*nothing listens there/)
    assert.match(stderr, /manifests\/etcd\.yaml: is not YAML/)
  })

  test('a broken file does not stop a command that needs nothing of it', async () => {
    await using node = await Node.create({ [pod]: 'spec: [\n', [debian]: 'nonsense\n' })
    const { options } = await node.showConfig(['--endpoints', 'http://127.0.0.1:1'])
    assert.equal(options['endpoints']?.from, '--endpoints')
  })
})
