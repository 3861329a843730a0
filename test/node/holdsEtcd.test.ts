import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Authority } from '../lab/certificates.js'
import { type Files, Node, noNetwork, noNode } from '../lab/node.js'
import { OwnNetwork } from '../lab/ownNetwork.js'
import { certificates, debian, manifest, pod } from './places.js'

const own = '/etc/etcd-defrag/config.yaml'
/** Of a member; etcd makes it as it starts for the first time. */
const dataIn = (folder: string): Files => ({ [`${folder}/member/snap/db`]: '' })
const server = (name: string) => `/var/lib/rancher/${name}/server`

describe('the condition of the units: does this node hold an etcd', {
  skip: noNode() || noNetwork(),
}, () => {
  let folder: string
  let silent: OwnNetwork
  const embedded: Record<string, Files> = {}
  before(async () => {
    silent = await OwnNetwork.create()
    folder = await mkdtemp(join(tmpdir(), 'etcd-holds-'))
    const authority = await Authority.create(folder)
    await authority.issue('client', { usages: ['clientAuth'] })
    for (const name of ['k3s', 'rke2']) {
      const tls = `${server(name)}/tls/etcd`
      embedded[name] = await certificates(folder, {
        [`${tls}/server-ca.crt`]: 'ca.crt',
        [`${tls}/client.crt`]: 'client.crt',
        [`${tls}/client.key`]: 'client.key',
      })
    }
  })
  after(async () => {
    await silent[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  const answer = async (files: Files, args: readonly string[] = [], network = silent.pid) => {
    await using node = await Node.create(files, network)
    return await node.etcdDefrag(['holds-etcd', ...args])
  }

  test('no, and what was looked for, with 100, where there is nothing of it', async () => {
    const { code, stdout } = await answer({ '/etc/kubernetes/kubelet.conf': '' })
    assert.equal(code, 100)
    assert.match(stdout, /^this node holds no etcd: .*kubeadm, k3s, RKE2 or Debian.*set endpoints/)
    assert.match(stdout, /no data in \/var\/lib\/etcd, and nothing listens at http:\/\/127\.0\.0\.1:2379;/)
  })

  for (const [what, files, because] of [
    ["a static pod's manifest", { [pod]: manifest(['etcd', '--data-dir=/data/etcd']) }, /from .*etcd\.yaml/],
    ['a manifest that cannot be understood', { [pod]: '{' }, /etcd\.yaml/],
    ["Debian's file with settings", { [debian]: 'ETCD_NAME=m1\n' }, /Debian/],
    [
      "Debian's file as it came, and its data,",
      { [debian]: '# ETCD_NAME="hostname"\n', ...dataIn('/var/lib/etcd/default') },
      /there is \/var\/lib\/etcd\/default\/member/,
    ],
    [
      'the configuration file',
      { [own]: 'endpoints: https://10.0.0.7:2379\n' },
      /endpoints https:\/\/10\.0\.0\.7/,
    ],
    ['a data directory', dataIn('/var/lib/etcd'), /there is \/var\/lib\/etcd\/member/],
  ] as const)
    test(`yes, where ${what} speaks for one`, async () => {
      const { code, stdout } = await answer(files as Files)
      assert.equal(code, 0, stdout)
      assert.match(stdout, because)
    })

  test("no, where only Debian's file is left, as a package that is removed leaves it", async () => {
    const { code, stdout } = await answer({ [debian]: '# ETCD_NAME="hostname"\nDAEMON_ARGS=""\n' })
    assert.equal(code, 100, stdout)
    assert.match(stdout, /no data in \/var\/lib\/etcd\/default/)
  })

  for (const name of ['k3s', 'rke2']) {
    test(`yes, on a server of ${name} that keeps its data in an etcd`, async () => {
      const { code, stdout } = await answer({ ...embedded[name], ...dataIn(`${server(name)}/db/etcd`) })
      assert.equal(code, 0, stdout)
      assert.match(stdout, new RegExp(`there is ${server(name)}/db/etcd/member`))
    })

    test(`no, on a server of ${name} that keeps its data elsewhere: it has etcd's certificates all the same`, async () => {
      const { code, stdout } = await answer({ ...embedded[name], [`${server(name)}/db/state.db`]: '' })
      assert.equal(code, 100, stdout)
      assert.match(stdout, new RegExp(`no data in ${server(name)}/db/etcd, and nothing listens`))
    })
  }

  test('a broken configuration is said, with 78 and not with 100, so that the run still comes to say it', async () => {
    const { code, stderr } = await answer({ [own]: 'endpoint: x\n' })
    assert.equal(code, 78)
    assert.match(stderr, /config\.yaml/)
  })

  test('yes, where something listens at the default endpoint, for programs too', async () => {
    await using network = await OwnNetwork.create(2379)
    const { code, stdout } = await answer({}, ['--output', 'json'], network.pid)
    assert.equal(code, 0, stdout)
    assert.deepEqual(JSON.parse(stdout), {
      format: 1,
      holdsEtcd: true,
      because: 'http://127.0.0.1:2379 is listened at',
    })
  })
})
