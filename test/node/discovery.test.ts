import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Cluster } from '../lab/cluster.js'
import { Node, noNetwork, noNode, OwnNetworkEtcd } from '../lab/node.js'
import { certificates, debian, pki, reach, shown, valuesOf } from './places.js'

describe('on a node that keeps its etcd at the usual address', {
  skip: noNode() || noNetwork(),
  concurrency: 2,
}, () => {
  const url = 'https://127.0.0.1:2379'
  let etcd: OwnNetworkEtcd
  before(async () => {
    etcd = await OwnNetworkEtcd.start()
  })
  after(() => etcd[Symbol.asyncDispose]())

  const kubeadm = (name: string) => ({
    [`${pki}/${name}.crt`]: 'client.crt',
    [`${pki}/${name}.key`]: 'client.key',
  })
  const embedded = (name: string) => {
    const tls = `/var/lib/rancher/${name}/server/tls/etcd`
    return {
      [`${tls}/server-ca.crt`]: 'ca.crt',
      [`${tls}/client.crt`]: 'client.crt',
      [`${tls}/client.key`]: 'client.key',
    }
  }
  const server = (name: string) => `/var/lib/rancher/${name}/server`
  const ca = { [`${pki}/ca.crt`]: 'ca.crt' }

  for (const [what, places, cert, dataDir] of [
    [
      "kubeadm's folder has healthcheck-client",
      { ...ca, ...kubeadm('healthcheck-client'), ...kubeadm('peer') },
      `${pki}/healthcheck-client.crt`,
      '/var/lib/etcd',
    ],
    ["kubeadm's folder has peer only", { ...ca, ...kubeadm('peer') }, `${pki}/peer.crt`, '/var/lib/etcd'],
    [
      'k3s keeps its own',
      embedded('k3s'),
      `${server('k3s')}/tls/etcd/client.crt`,
      `${server('k3s')}/db/etcd`,
    ],
    [
      'RKE2 keeps its own',
      embedded('rke2'),
      `${server('rke2')}/tls/etcd/client.crt`,
      `${server('rke2')}/db/etcd`,
    ],
  ] as const)
    test(`the command connects where ${what}`, async () => {
      const files = await certificates(etcd.pki, places as Readonly<Record<string, string>>)
      assert.deepEqual(valuesOf(await shown(files), 'endpoints', 'cert', 'data-dir'), [url, cert, dataDir])
      assert.equal(await reach(files, etcd.pid), url)
    })

  test('the first source that is there is taken, and nothing of the others', async () => {
    const all = { ...ca, ...kubeadm('peer'), ...embedded('k3s'), ...embedded('rke2') }
    const config = await shown({ ...(await certificates(etcd.pki, all)), [debian]: 'ETCD_DATA_DIR=/srv\n' })
    assert.deepEqual(valuesOf(config, 'cert', 'data-dir'), [`${pki}/peer.crt`, '/var/lib/etcd'])
  })

  test('where nothing is there, http://127.0.0.1:2379 is asked and named', async () => {
    await using node = await Node.create({}, etcd.pid)
    const { options, notes } = await node.showConfig()
    assert.deepEqual(options['endpoints'], { value: 'http://127.0.0.1:2379', from: 'default' })
    assert.deepEqual(notes, [])
    const { code, stderr } = await node.etcdDefrag(['status'])
    assert.equal(code, 69)
    assert.match(stderr, /^etcd-defrag: etcd cannot be reached: http:\/\/127\.0\.0\.1:2379: /)
  })
})

describe("on a node with Debian's etcd", { skip: noNode(), concurrency: 2 }, () => {
  test('the command connects by the variables of its file', async () => {
    await using cluster = await Cluster.start({ size: 1, suite: 'bookworm' })
    const url = cluster.members[0]?.clientUrl ?? ''
    const files = await certificates(join(cluster.folder, 'pki'), {
      '/etc/etcd/ca.crt': 'ca.crt',
      '/etc/etcd/server.crt': 'server.crt',
      '/etc/etcd/server.key': 'server.key',
    })
    const text = [
      "## etcd(1) daemon options: comments 'and quotes",
      '# ETCD_LISTEN_CLIENT_URLS="http://localhost:2379"',
      `ETCD_LISTEN_CLIENT_URLS="https://192.0.2.1:2379,${url}"`,
      'ETCD_CERT_FILE=/etc/etcd/server.crt',
      "ETCD_KEY_FILE='/etc/etcd/server.key'",
      'ETCD_TRUSTED_CA_FILE=/etc/etcd/ca.crt',
      'ETCD_CLIENT_CERT_AUTH=true',
      'ETCD_DATA_DIR=/srv/etcd',
      'ETCD_QUOTA_BACKEND_BYTES=4294967296',
      'ETCD_NAME=',
      'DAEMON_ARGS="--never"',
    ]
    const config = await shown({ ...files, [debian]: text.join('\n') })
    assert.deepEqual(config.options['data-dir'], { value: '/srv/etcd', from: `${debian} ETCD_DATA_DIR` })
    assert.deepEqual([config.quota, config.notes], [4_294_967_296, []])
    assert.equal(await reach({ ...files, [debian]: text.join('\n') }), url)
  })

  test('a file of comments only means its defaults', async () => {
    const config = await shown({ [debian]: '# ETCD_NAME="hostname"\n' })
    assert.deepEqual(valuesOf(config, 'endpoints', 'data-dir'), [
      'http://127.0.0.1:2379',
      '/var/lib/etcd/default',
    ])
  })
})
