import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { StatusAnswer } from '../../src/system/etcd/answers.js'
import { type CallError, translate } from '../../src/system/etcd/callError.js'
import { Authority } from '../lab/certificates.js'
import { temporary } from './fixtures.js'

/** Etcd's own messages, read as etcd3 reads them (etcd3: lib/connection-pool.js). */
const proto = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto')
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true } as const
const maintenance = loadSync(proto, options)['etcdserverpb.Maintenance'] as ServiceDefinition

/** The message as it comes off the wire. */
const encoded = (method: 'Status' | 'Snapshot', message: object): Buffer =>
  maintenance[method]?.responseSerialize(message) ?? Buffer.alloc(0)
const _statusAnswer = (message: object) =>
  maintenance['Status']?.responseDeserialize(encoded('Status', message)) as StatusAnswer

describe('a call that fails is told in words and with what it may have done:', () => {
  const plain = credentials.createInsecure()
  const asIs = (bytes: Buffer) => bytes
  const method = { path: '/test/Call', requestStream: false, responseStream: false } as const
  const codec = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
  const servers: { close(): void }[] = []
  const SILENT = 'never answers'
  let etcd = 0

  /** A gRPC server that answers each call as the call's own metadata ask it to. Resolves to its port. */
  async function serve(with_: ServerCredentials): Promise<number> {
    const server = new Server()
    server.addService(
      { call: { ...method, ...codec } },
      {
        call: (call: { metadata: Metadata }, reply: (answer: object) => void) => {
          const [details, code] = [call.metadata.get('details')[0], call.metadata.get('code')[0]]
          if (details !== SILENT) reply({ details, code: Number(code) })
        },
      },
    )
    servers.push({ close: () => server.forceShutdown() })
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', with_, (error, port) => (error ? reject(error) : resolve(port)))
    })
  }

  /** A TCP server that does this to each connection. Resolves to its port. */
  async function listen(met: (socket: Socket) => void): Promise<number> {
    const sockets: Socket[] = []
    const server: NetServer = createServer(socket => {
      sockets.push(socket)
      met(socket.on('error', () => {}))
    })
    const close = () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
    servers.push({ close })
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  /** What a call comes to; the server is asked for the code and the details. */
  async function called(
    target: string,
    {
      using = plain,
      code = 0,
      details = '',
    }: { using?: ChannelCredentials; code?: number; details?: string } = {},
  ): Promise<CallError> {
    const client = new Client(target, using, { 'grpc.enable_retries': 0 })
    const metadata = new Metadata()
    metadata.set('code', String(code))
    metadata.set('details', details)
    const deadline = Date.now() + (details === SILENT ? 600 : 5000)
    const error = await new Promise<ServiceError | null>(resolve => {
      client.makeUnaryRequest(method.path, asIs, asIs, Buffer.alloc(0), metadata, { deadline }, resolve)
    })
    client.close()
    assert.ok(error !== null)
    const told = translate(error, 600)
    assert.equal(told.cause, error)
    assert.doesNotMatch(told.message, /\n|No connection established|Resolution note/)
    return told
  }
  const facts = ({ mayHaveRun, tokenExpired, permissionDenied }: CallError) => ({
    mayHaveRun,
    tokenExpired,
    permissionDenied,
  })
  const nothing = { mayHaveRun: false, tokenExpired: false, permissionDenied: false }

  before(async () => {
    etcd = await serve(ServerCredentials.createInsecure())
  })
  after(() => {
    for (const server of servers) server.close()
  })

  for (const [what, code, words, given] of [
    ['a permission', status.PERMISSION_DENIED, 'permission denied', { permissionDenied: true }],
    ['an expired token', status.UNAUTHENTICATED, 'invalid auth token', { tokenExpired: true }],
    ['an old token', status.INVALID_ARGUMENT, 'revision of auth store is old', { tokenExpired: true }],
    ['a bad transferee', status.FAILED_PRECONDITION, 'bad leader transferee', {}],
    ['a call unknown to etcd', status.UNIMPLEMENTED, 'unknown method', {}],
    ['a time-out inside etcd', status.UNAVAILABLE, 'request timed out', { mayHaveRun: true }],
    ['an error of the call itself, which is over then', status.UNKNOWN, 'open db.tmp: no space left', {}],
    ['a cancelled call', status.CANCELLED, 'context canceled', { mayHaveRun: true }],
  ] as const)
    it(what, async () => {
      const error = await called(`127.0.0.1:${etcd}`, { code, details: `etcdserver: ${words}` })
      assert.equal(error.message, words)
      assert.deepEqual(facts(error), { ...nothing, ...given })
    })

  it('a missing user', async () => {
    const details = 'etcdserver: user name is empty'
    const error = await called(`127.0.0.1:${etcd}`, { code: status.INVALID_ARGUMENT, details })
    assert.equal(error.message, 'etcd asks for a user: set --user and --password-file')
    assert.deepEqual(facts(error), nothing)
  })

  it('no answer to a call that was sent, which may go on', async () => {
    const error = await called(`127.0.0.1:${etcd}`, { details: SILENT })
    assert.equal(error.message, 'no answer within 0.6 s')
    assert.deepEqual(facts(error), { ...nothing, mayHaveRun: true })
  })

  it('no answer from a host that never took the call', async () => {
    const port = await listen(() => {})
    const error = await called(`127.0.0.1:${port}`, { details: SILENT })
    assert.equal(error.message, 'no answer within 0.6 s')
    assert.deepEqual(facts(error), nothing)
  })

  it('a connection that breaks in mid-call, which proves that the address was right', async () => {
    const port = await listen(socket => {
      const there = connect(etcd, '127.0.0.1')
      there.on('error', () => {})
      socket.pipe(there).pipe(socket)
      socket.on('close', () => there.destroy())
      there.once('data', () => setTimeout(() => socket.destroy(), 40)) // the connection stands by then
    })
    const error = await called(`127.0.0.1:${port}`, { details: SILENT })
    assert.equal(error.message, 'Connection dropped')
    assert.deepEqual(facts(error), { ...nothing, mayHaveRun: true })
  })

  it('a port where nothing listens', async () => {
    const port = await listen(() => {})
    servers.pop()?.close()
    const error = await called(`127.0.0.1:${port}`)
    assert.match(error.message, /^connect ECONNREFUSED .* \(nothing listens there: is etcd running/)
    assert.deepEqual(facts(error), nothing)
  })

  it('a host that has no address', async () => {
    const error = await called('unix:/nonexistent/etcd.sock')
    assert.match(error.message, /^connect ENOENT \/nonexistent\/etcd.sock/)
    assert.deepEqual(facts(error), nothing)
  })

  it('something that is not etcd', async () => {
    const port = await listen(socket => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const error = await called(`127.0.0.1:${port}`)
    assert.match(error.message, /\(it may speak TLS, or not be etcd: look at --endpoints and --cacert\)$/)
    assert.deepEqual(facts(error), nothing)
  })
  describe('TLS', () => {
    const hints = {
      authority: /its certificate is not signed by --cacert/,
      client: /does not accept the client certificate: look at --cert and --key/,
      host: /its certificate is for other names: set --tls-server-name/,
      expired: /its certificate has expired/,
      none: /it speaks no TLS: use http:\/\/ in --endpoints/,
      wanted: /it may speak TLS, or not be etcd: look at --endpoints and --cacert/,
    }
    const live: readonly (readonly [string, keyof typeof hints, Trial])[] = [
      ['a certificate of an unknown authority', 'authority', { trust: 'system' }],
      ['a certificate of another authority of the same name', 'authority', { trust: 'other' }],
      ['a certificate for another host', 'host', { host: 'elsewhere.example' }],
      ['a client without a certificate', 'client', { asks: true }],
      ['a server that speaks none', 'none', { server: 'plain' }],
      ['a server that speaks none and hangs up', 'none', { server: 'hangs up' }],
      ['a client that speaks none', 'wanted', { trust: 'none' }],
    ]
    type Trial = {
      server?: 'plain' | 'hangs up'
      trust?: 'system' | 'other' | 'none'
      host?: string
      /** The server asks for a client certificate. */
      asks?: boolean
    }

    for (const [what, hint, { server, trust, host = 'localhost', asks = false }] of live)
      it(what, async () => {
        await using folder = await temporary()
        const own = await Authority.create(join(folder.path, 'own'))
        const other = await Authority.create(join(folder.path, 'other'))
        const { cert, key } = await own.issue('server', { names: { dns: [host], ip: [] } })
        const pair = { cert_chain: readFileSync(cert), private_key: readFileSync(key) }
        const secure = ServerCredentials.createSsl(readFileSync(own.file), [pair], asks)
        const hangUp = (socket: Socket) => void socket.once('data', () => socket.end())
        const port = await (server === undefined ? serve(secure) : server === 'plain' ? etcd : listen(hangUp))
        const root = trust === 'system' ? null : readFileSync(trust === 'other' ? other.file : own.file)
        const using = trust === 'none' ? plain : credentials.createSsl(root)
        const error = await called(`localhost:${port}`, { using })
        assert.match(error.message, hints[hint])
        assert.deepEqual(facts(error), nothing)
      })

    // Recorded with etcd 3.5 and Node 20, but for the second, which is Node's own wording.
    const date = '(2026-11-22T01:54:37.978Z)'
    const alert = (text: string) => `807C:error:0A000418:SSL routines:ssl3_read_bytes:${text}\n ${date}`
    for (const [hint, last] of [
      ['authority', 'Error: certificate signature failure'],
      ['expired', 'Error: certificate has expired'],
      ['none', 'Error: Client network socket disconnected before secure TLS connection was established'],
      ['wanted', `Failed to connect ${date}`],
      ['client', alert('tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1601:SSL alert number 48')],
      ['client', alert('tlsv13 alert certificate required:../rec_layer_s3.c:1601:SSL alert number 116')],
    ] as const)
      it(`as grpc-js words it: ${last.replace(/ \(.*|.*bytes:|:\.\..*/gs, '')}`, () => {
        const details = `No connection established. Last error: ${last}. Resolution note: `
        const error: ServiceError = Object.assign(new Error(details), {
          ...{ code: status.UNAVAILABLE, details, metadata: new Metadata() },
        })
        const told = translate(error, 5000)
        assert.match(told.message, hints[hint])
        assert.doesNotMatch(told.message, /\n|No connection established|Resolution note/)
        assert.deepEqual(facts(told), nothing)
      })
  })
})
