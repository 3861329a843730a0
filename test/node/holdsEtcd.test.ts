import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { type Files, Node, noNode } from '../lab/node.js'
import { debian, manifest, pod } from './places.js'

const own = '/etc/etcd-defrag/config.yaml'

describe('the condition of the units: does this node hold an etcd', {
  skip: noNode(),
}, () => {
  const answer = async (files: Files, args: readonly string[] = []) => {
    await using node = await Node.create(files)
    return await node.etcdDefrag(['holds-etcd', ...args])
  }

  test('no, and what was looked for, with 1, where there is nothing of it', async () => {
    const { code, stdout } = await answer({ '/etc/kubernetes/kubelet.conf': '' })
    assert.equal(code, 1)
    assert.match(stdout, /^this node holds no etcd: .*kubeadm, k3s, RKE2 or Debian.*set endpoints/)
  })

  for (const [what, files, because] of [
    ["a static pod's manifest", { [pod]: manifest(['etcd', '--data-dir=/data/etcd']) }, /from .*etcd\.yaml/],
    ['a manifest that cannot be understood', { [pod]: '{' }, /etcd\.yaml/],
    ["Debian's file", { [debian]: 'ETCD_NAME=m1\n' }, /Debian/],
    [
      'the configuration file',
      { [own]: 'endpoints: https://10.0.0.7:2379\n' },
      /endpoints https:\/\/10\.0\.0\.7/,
    ],
    ['a data directory', { '/var/lib/etcd/member/snap/db': '' }, /there is \/var\/lib\/etcd\/member/],
  ] as const)
    test(`yes, where ${what} speaks for one`, async () => {
      const { code, stdout } = await answer(files as Files)
      assert.equal(code, 0, stdout)
      assert.match(stdout, because)
    })

  test('a broken configuration is said, with 78 and not with 1, so that the run still comes to say it', async () => {
    const { code, stderr } = await answer({ [own]: 'endpoint: x\n' })
    assert.equal(code, 78)
    assert.match(stderr, /config\.yaml/)
  })

  test('yes, where something listens at the default endpoint, for programs too', async t => {
    const server = createServer(socket => socket.destroy())
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(2379, '127.0.0.1', () => resolve()),
    )
    t.after(() => new Promise(resolve => server.close(resolve)))
    const { code, stdout } = await answer({}, ['--output', 'json'])
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(stdout), {
      format: 1,
      holdsEtcd: true,
      because: 'http://127.0.0.1:2379 is listened at',
    })
  })
})
