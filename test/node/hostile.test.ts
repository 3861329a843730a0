import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Authority, type Validity } from '../lab/certificates.js'
import { Cluster } from '../lab/cluster.js'
import { etcdDefrag } from '../lab/command.js'

const day = 24 * 3_600_000
const past: Validity = {
  notBefore: new Date('2025-03-01T00:00:00Z'),
  notAfter: new Date('2025-09-01T12:00:00Z'),
}
const future: Validity = { notBefore: new Date(Date.now() + day), notAfter: new Date(Date.now() + 2 * day) }

/** A run that must come to nothing: its one message, in the journal's place. */
async function refused(code: number, args: readonly string[]): Promise<string> {
  const ended = await etcdDefrag(['status', ...args])
  assert.equal(ended.code, code, ended.stderr)
  assert.equal(ended.stdout, '')
  assert.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr)
  return ended.stderr
}

describe('certificates that are not good', { timeout: 60_000 }, () => {
  let folder: string
  let authority: Authority
  let cluster: Cluster
  const ours: Record<string, { cert: string; key: string }> = {}
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-hostile-'))
    cluster = await Cluster.start({ size: 1 })
    authority = await Authority.create(join(folder, 'pki'))
    const own = await Authority.of(join(cluster.folder, 'pki'))
    ours['expired'] = await own.issue('expired', { usages: ['clientAuth'], valid: past })
    ours['early'] = await own.issue('early', { usages: ['clientAuth'], valid: future })
    ours['stranger'] = await authority.issue('stranger', { usages: ['clientAuth'] })
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  const flags = ({ cert, key }: { cert: string; key: string }) => [
    ...['--endpoints', cluster.members[0]?.clientUrl ?? '', '--cacert', cluster.client?.ca ?? ''],
    ...['--cert', cert, '--key', key],
  ]

  for (const [name, dates] of [
    ['expired', 'valid from 2025-03-01T00:00:00Z to 2025-09-01T12:00:00Z'],
    ['early', 'valid from 20\\S+Z to 20\\S+Z'],
    ['stranger', 'valid from 20\\S+Z to 20\\S+Z'],
  ] as const)
    test(`a client certificate that is ${name} is named with its dates`, async () => {
      const pair = ours[name]
      assert.ok(pair)
      const said = await refused(69, flags(pair))
      assert.match(
        said,
        new RegExp(
          `does not accept the client certificate: look at --cert and --key\\): ${name}, issued by etcd-ca, ${dates}`,
        ),
      )
    })

  test('a server certificate of another authority is named with its issuer and dates', async () => {
    const args = ['--endpoints', cluster.members[0]?.clientUrl ?? '', '--cacert', authority.file]
    assert.match(
      await refused(69, [...args, '--cert', cluster.client?.cert ?? '', '--key', cluster.client?.key ?? '']),
      /its certificate is not signed by --cacert\): server, issued by etcd-ca, valid from 20\S+Z to 20\S+Z/,
    )
  })
})

test('a server certificate that has expired is named with its dates', { timeout: 60_000 }, async () => {
  await using cluster = await Cluster.start({ size: 1 })
  const [member] = cluster.members
  assert.ok(member)
  await cluster.kill(member)
  const own = await Authority.of(join(cluster.folder, 'pki'))
  await own.issue('server', { valid: past })
  await cluster.restart(member)
  assert.match(
    await refused(69, cluster.flags(member)),
    /its certificate has expired\): server, issued by etcd-ca, valid from 2025-03-01T00:00:00Z to 2025-09-01T12:00:00Z/,
  )
})

describe('an endpoint that is no etcd', { timeout: 60_000 }, () => {
  const listening = async (server: Server): Promise<string> => {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('an HTTP server is told from one', async () => {
    const server = createHttpServer((_, response) => response.end('hello'))
    const address = await listening(server)
    for (const scheme of ['http', 'https'])
      assert.match(
        await refused(69, ['--endpoints', `${scheme}://${address}`]),
        /^etcd-defrag: etcd cannot be reached: https?:\/\/127.0.0.1:\d+: .*(not be etcd|speaks no TLS)/,
      )
    server.close()
  })

  test('a port that takes connections and never answers is left after --dial-timeout', async () => {
    const open: { destroy(): void }[] = []
    const server = createServer(socket => void open.push(socket))
    const address = await listening(server)
    const from = Date.now()
    assert.match(
      await refused(69, [
        '--endpoints',
        `http://${address}`,
        '--dial-timeout',
        '500ms',
        '--command-timeout',
        '1s',
      ]),
      /etcd cannot be reached: http:\/\/127.0.0.1:\d+: no (?:connection|answer) within/,
    )
    assert.ok(Date.now() - from < 10_000)
    for (const socket of open) socket.destroy()
    server.close()
  })
})

test('names of a thousand characters break neither table nor message', { timeout: 60_000 }, async () => {
  const name = 'n'.repeat(1000)
  await using cluster = await Cluster.start({ size: 1, tls: false })
  const [member] = cluster.members
  assert.ok(member)
  await cluster.kill(member)
  await cluster.restart(member, [`--name=${name}`])
  const status = await etcdDefrag(['status', ...cluster.flags(member)])
  assert.equal(status.code, 0, status.stderr)
  assert.ok(status.stdout.split('\n').every(line => line.length < 250))
  const plan = await etcdDefrag(['plan', ...cluster.flags(member)])
  assert.equal(plan.code, 0, plan.stderr)
  assert.doesNotMatch(plan.stdout, /n{100}/)
})
