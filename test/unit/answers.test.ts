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
import fc from 'fast-check'
import { idOf, memberOf, type StatusAnswer, statusOf } from '../../src/system/etcd/answers.js'
import { type CallError, translate } from '../../src/system/etcd/callError.js'
import { parseSnapshotResponse } from '../../src/system/etcd/snapshotResponse.js'
import { Authority } from '../lab/certificates.js'
import { noise, temporary } from './fixtures.js'

/** Etcd's own messages, read as etcd3 reads them (etcd3: lib/connection-pool.js). */
const proto = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto')
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true } as const
const maintenance = loadSync(proto, options)['etcdserverpb.Maintenance'] as ServiceDefinition

/** The message as it comes off the wire. */
const encoded = (method: 'Status' | 'Snapshot', message: object): Buffer =>
  maintenance[method]?.responseSerialize(message) ?? Buffer.alloc(0)
const statusAnswer = (message: object) =>
  maintenance['Status']?.responseDeserialize(encoded('Status', message)) as StatusAnswer

describe('an id', () => {
  it('of 64 bits is lower-case hex without leading zeros, as etcdctl prints it', () => {
    assert.equal(idOf('13803658152347727308'), 'bf9071f4639c75cc')
    assert.equal(idOf('18446744073709551615'), 'ffffffffffffffff')
    assert.equal(idOf('255'), 'ff')
  })

  it('of a member comes with its names and URLs', () => {
    const answer = { ID: '10', name: 'a', peerURLs: ['p'], clientURLs: [], isLearner: true }
    assert.deepEqual(memberOf(answer), { id: 'a', name: 'a', peerUrls: ['p'], clientUrls: [], learner: true })
  })
})

describe('the status of a member', () => {
  const full = {
    header: { cluster_id: '1', member_id: '2' },
    ...{ version: '3.5.30', dbSize: '9007199254740991', dbSizeInUse: '5', leader: '13803658152347727308' },
    ...{ raftIndex: '18446744073709551615', raftTerm: '7', raftAppliedIndex: '18446744073709551614' },
  }

  it('has its sizes as numbers and what raft counts as bigint, exact to 64 bits', () => {
    assert.deepEqual(statusOf(statusAnswer(full)), {
      ...{ version: '3.5.30', dbSize: 9007199254740991, dbSizeInUse: 5, leader: 'bf9071f4639c75cc' },
      ...{
        raftIndex: 2n ** 64n - 1n,
        raftTerm: 7n,
        raftAppliedIndex: 2n ** 64n - 2n,
        alarms: [],
        errors: [],
      },
    })
  })

  it('of an old or new etcd may lack fields', () => {
    assert.deepEqual(statusOf(statusAnswer({ header: {} })), {
      ...{ version: '', dbSize: 0, dbSizeInUse: 0, leader: undefined, raftIndex: 0n, raftTerm: 0n },
      ...{ raftAppliedIndex: 0n, alarms: [], errors: [] },
    })
  })

  it('has no leader where etcd says 0', () => {
    assert.equal(statusOf(statusAnswer({ ...full, leader: '0' })).leader, undefined)
  })

  it('has alarms apart from the other errors they stand among', () => {
    const errors = [
      'etcdserver: no leader',
      'memberID:13803658152347727308 alarm:NOSPACE ',
      'memberID:18446744073709551615 alarm:CORRUPT ',
      'memberID:1 alarm:SOMETHING_NEW ',
      'see memberID:1 alarm:NOSPACE ',
    ]
    const { alarms, errors: others } = statusOf(statusAnswer({ ...full, errors }))
    assert.deepEqual(alarms, [
      { member: 'bf9071f4639c75cc', kind: 'NOSPACE' },
      { member: 'ffffffffffffffff', kind: 'CORRUPT' },
    ])
    assert.deepEqual(others, [errors[0], errors[3], errors[4]])
  })
})

describe('a piece of a snapshot', () => {
  const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)
  const header = fc.record({ cluster_id: id, member_id: id, raft_term: id })
  const message = fc.record(
    { header, remaining_bytes: id, blob: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
    { requiredKeys: ['blob'] },
  )

  it('is the blob of the message, whatever else is in it', () => {
    const property = fc.property(message, fc.string(), (response, version) => {
      const known = encoded('Snapshot', response)
      assert.ok(parseSnapshotResponse(known).equals(response.blob))
      // From 3.6 on: `string version = 4` (etcd: api/etcdserverpb/rpc.proto).
      const text = Buffer.from(version).subarray(0, 127)
      const newer = Buffer.concat([known, Buffer.of((4 << 3) | 2, text.length), text])
      assert.ok(parseSnapshotResponse(newer).equals(response.blob))
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('may be as large as it likes', () => {
    const blob = noise(3 << 20)
    assert.ok(parseSnapshotResponse(encoded('Snapshot', { blob, remaining_bytes: '1' })).equals(blob))
  })

  it('that is cut short is no piece', () => {
    const property = fc.property(message, fc.nat(400), (response, cut) => {
      const whole = encoded('Snapshot', response)
      const part = whole.subarray(0, cut % (whole.length || 1))
      try {
        const blob = parseSnapshotResponse(part)
        // Cut between two fields it is a whole message, without the blob.
        assert.equal(blob.length, 0)
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('that is noise ends in bytes of it or in a RangeError', () => {
    const likely = fc.array(fc.constantFrom(0, 8, 10, 16, 26, 34, 127, 128, 255, 13, 9, 11))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      likely,
      fc.constant(Array<number>(5000).fill(255)),
    )
    const property = fc.property(bytes, some => {
      const noisy = Buffer.from(some)
      try {
        assert.ok(noisy.includes(parseSnapshotResponse(noisy)))
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })
})

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
    const deadline = Date.now() + (details === SILENT ? 150 : 5000)
    const error = await new Promise<ServiceError | null>(resolve => {
      client.makeUnaryRequest(method.path, asIs, asIs, Buffer.alloc(0), metadata, { deadline }, resolve)
    })
    client.close()
    assert.ok(error !== null)
    const told = translate(error, 150)
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
    ['an error nobody foresaw', status.UNKNOWN, 'open db.tmp: no space left', { mayHaveRun: true }],
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
    assert.equal(error.message, 'no answer within 0.15 s')
    assert.deepEqual(facts(error), { ...nothing, mayHaveRun: true })
  })

  it('no answer from a host that never took the call', async () => {
    const port = await listen(() => {})
    const error = await called(`127.0.0.1:${port}`, { details: SILENT })
    assert.equal(error.message, 'no answer within 0.15 s')
    assert.deepEqual(facts(error), nothing)
  })

  it('a connection that breaks in mid-call, which proves that the address was right', async () => {
    const port = await listen(socket => {
      const there = connect(etcd, '127.0.0.1')
      there.on('error', () => {})
      socket.pipe(there).pipe(socket)
      socket.on('close', () => there.destroy())
      setTimeout(() => socket.destroy(), 60)
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
