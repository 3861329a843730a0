import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Authority } from '../lab/certificates.js'
import { Cluster } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'

/** Runs `status` and checks its exit code; what it said on stderr, or the endpoint where the member answered. */
async function status(code: number, args: readonly string[]): Promise<string> {
  const ended = await etcdDefrag(['status', '--output', 'json', ...args])
  assert.equal(ended.code, code, `${args.join(' ')}\n${ended.stderr}`)
  return code === 0 ? documentOf(ended).members[0].endpoint : ended.stderr
}

const addressOf = (url: string): string => url.replace(/^https?:\/\//, '')

describe('certificates and endpoints', { concurrency: 2 }, () => {
  let cluster: Cluster
  let folder: string
  let url: string
  let other: Authority
  before(async () => {
    cluster = await Cluster.start({ size: 1 })
    url = cluster.members[0]?.clientUrl ?? ''
    folder = await mkdtemp(join(tmpdir(), 'etcd-tls-'))
    other = await Authority.create(join(folder, 'other'))
    await other.issue('client', { usages: ['clientAuth'] })
    await writeFile(
      join(folder, 'garbage.pem'),
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    )
    await writeFile(join(folder, 'empty.pem'), '')
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  /** The flags for the cluster, some of them changed; undefined leaves one out. */
  const flags = (changed: Readonly<Record<string, string | undefined>> = {}): readonly string[] => {
    const { ca, cert, key } = cluster.client ?? { ca: '', cert: '', key: '' }
    const given = { endpoints: url, cacert: ca, cert, key, ...changed }
    return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
  }
  const pem = (name: string) => join(folder, name)

  test('an endpoint without scheme is asked with TLS where there is a certificate', async () => {
    assert.equal(await status(0, flags({ endpoints: addressOf(url) })), url)
  })

  test("etcdctl's variables are enough", async () => {
    const { ca = '', cert = '', key = '' } = cluster.client ?? {}
    const env = { ETCDCTL_ENDPOINTS: url, ETCDCTL_CACERT: ca, ETCDCTL_CERT: cert, ETCDCTL_KEY: key }
    const ended = await etcdDefrag(['status'], { env })
    assert.equal(ended.code, 0, ended.stderr)
  })

  test('half a pair is refused, and the other half named', async () => {
    assert.equal(await status(78, flags({ key: undefined })), 'etcd-defrag: --cert: needs --key beside it\n')
    assert.equal(await status(78, flags({ cert: undefined })), 'etcd-defrag: --key: needs --cert beside it\n')
  })

  for (const [what, changed, message] of [
    [
      'an authority that is not there',
      () => ({ cacert: pem('none') }),
      /--cacert: \S+none cannot be read \(ENOENT\)/,
    ],
    [
      'a certificate that is not there',
      () => ({ cert: pem('none') }),
      /--cert: \S+none cannot be read \(ENOENT\)/,
    ],
    ['a key that is not there', () => ({ key: pem('none') }), /--key: \S+none cannot be read \(ENOENT\)/],
    [
      'garbage for the authority',
      () => ({ cacert: pem('garbage.pem') }),
      /--cacert: \S+garbage.pem holds no PEM cert/,
    ],
    [
      'garbage for the certificate',
      () => ({ cert: pem('garbage.pem') }),
      /--cert: \S+garbage.pem holds no PEM cert/,
    ],
    [
      'an empty file for the key',
      () => ({ key: pem('empty.pem') }),
      /--key: \S+empty.pem holds no PEM private key/,
    ],
    [
      'a certificate for the key',
      () => ({ key: pem('other/ca.crt') }),
      /--key: \S+ca.crt holds no PEM private key/,
    ],
    [
      'the key of another',
      () => ({ key: pem('other/client.key') }),
      /--key: \S+ is not the key of the certificate \S+/,
    ],
    [
      'a path that is relative',
      () => ({ cacert: 'ca.crt' }),
      /--cacert: is "ca.crt"; expected an absolute path/,
    ],
  ] as const)
    test(`${what} is refused by its flag and file`, async () => {
      const said = await status(78, flags(changed()))
      assert.match(said, new RegExp(`^etcd-defrag: ${message.source}`))
    })

  for (const [endpoints, problem] of [
    ['etcd', 'has "etcd"; expected http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:PATH'],
    ['https://127.0.0.1:99999', 'has "https://127.0.0.1:99999", and 99999 is no port; expected'],
    ['ftp://127.0.0.1:2379', 'has "ftp://127.0.0.1:2379"; expected'],
    ['https://127.0.0.1:2379/v3', 'has "https://127.0.0.1:2379/v3"; expected'],
    ['::1:2379', 'has "::1:2379"; expected'],
    ['https://127.0.0.1:2379,', 'has ""; expected'],
  ] as const)
    test(`the endpoint ${endpoints} is refused`, async () => {
      assert.ok(
        (await status(78, ['--endpoints', endpoints])).startsWith(`etcd-defrag: --endpoints: ${problem}`),
      )
    })

  for (const [what, changed, message] of [
    [
      'a server of another authority',
      () => ({ cacert: other.file }),
      /its certificate is not signed by --cacert/,
    ],
    [
      'a server of no known authority',
      () => ({ cacert: undefined }),
      /its certificate is not signed by --cacert/,
    ],
    [
      'a client certificate of another authority',
      () => ({ cert: pem('other/client.crt'), key: pem('other/client.key') }),
      /it does not accept the client certificate: look at --cert and --key/,
    ],
    [
      'no client certificate where one is asked for',
      () => ({ cert: undefined, key: undefined }),
      /it does not accept the client certificate: look at --cert and --key/,
    ],
    [
      'a name that the server does not have',
      () => ({ 'tls-server-name': 'elsewhere.example' }),
      /its certificate is for other names: set --tls-server-name/,
    ],
    [
      'plain HTTP to a port that speaks TLS',
      () => ({ endpoints: url.replace('https', 'http') }),
      /it may speak TLS, or not be etcd: look at --endpoints and --cacert/,
    ],
    [
      'TLS to a port that speaks plain HTTP',
      () => ({ endpoints: cluster.members[0]?.metricsUrl.replace('http', 'https') }),
      /it speaks no TLS: use http:\/\/ in --endpoints/,
    ],
    [
      'a port where nothing listens',
      () => ({ endpoints: 'https://127.0.0.1:1' }),
      /nothing listens there: is etcd running, is --endpoints right\?/,
    ],
    ['a host that has no address', () => ({ endpoints: 'https://etcd.invalid:2379' }), /etcd\.invalid/],
  ] as const)
    test(`with ${what} etcd cannot be reached, and the message says what to look at`, async () => {
      const given = flags(changed())
      const said = await status(69, given)
      assert.ok(said.startsWith(`etcd-defrag: etcd cannot be reached: ${given[1]}: `), said)
      assert.match(said, message)
    })

  test('--insecure-skip-tls-verify accepts any server', async () => {
    const args = flags({ cacert: other.file, 'tls-server-name': 'elsewhere.example' })
    assert.equal(await status(0, [...args, '--insecure-skip-tls-verify']), url)
    assert.equal(await status(0, [...flags({ cacert: undefined }), '--insecure-skip-tls-verify']), url)
  })
})

test('a server for other names is reached with --tls-server-name, with a password too', async () => {
  const serverNames = { dns: ['etcd.example'], ip: [] }
  await using cluster = await Cluster.start({ size: 1, serverNames })
  const [member] = cluster.members
  assert.ok(member)
  const args = cluster.flags(member)
  const named = [...args, '--tls-server-name', 'etcd.example']
  assert.match(await status(69, args), /its certificate is for other names: set --tls-server-name/)
  assert.equal(await status(0, named), member.clientUrl)
  const etcdctl = (...words: readonly string[]) => cluster.etcdctl(['--insecure-skip-tls-verify', ...words])
  await etcdctl('user', 'add', 'root:word')
  await etcdctl('auth', 'enable')
  assert.equal(await status(0, [...named, '--user', 'root:word']), member.clientUrl)
})

const loopback6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1'),
)
const noIpv6 = loopback6 ? false : 'needs the address ::1'

test('an IPv6 endpoint is reached, with and without scheme', { skip: noIpv6 }, async () => {
  await using cluster = await Cluster.start({ size: 1, host: '[::1]' })
  const [member] = cluster.members
  assert.ok(member)
  assert.equal(await status(0, cluster.flags(member)), member.clientUrl)
  const [, , ...tls] = cluster.flags(member)
  assert.equal(await status(0, ['--endpoints', addressOf(member.clientUrl), ...tls]), member.clientUrl)
})

test('an endpoint without scheme is asked without TLS where there is no certificate', async () => {
  await using cluster = await Cluster.start({ size: 1, tls: false })
  const [member] = cluster.members
  assert.ok(member)
  assert.equal(await status(0, ['--endpoints', addressOf(member.clientUrl)]), member.clientUrl)
})
