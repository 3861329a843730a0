import {
  type CallOptions,
  Channel,
  type ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import { noop } from 'cockatiel'
import { Etcd3 } from 'etcd3'
import type { StatusAnswer } from './answers.js'
import { CallError, translate } from './callError.js'
import { certificateOfClient, certificateOfServer } from './certificate.js'
import { type Method, SERVICE_OF } from './methods.js'
import { MetricsReader } from './metrics.js'
import { newInStatus, parseSnapshotResponse } from './protobuf.js'
import type { Tls } from './tls.js'

export type ConnectionSettings = Readonly<{
  tls: Tls
  user: Readonly<{ name: string; password: string }> | undefined
  dialTimeoutMs: number
  commandTimeoutMs: number
}>

/** The read of `etcdctl endpoint health` (etcd: etcdctl/ctlv3/command/ep_command.go). */
export const HEALTH = { key: Buffer.from('health'), limit: 1, keys_only: true }

/** `once`: etcd may act on it however the call ends, so it is never sent a second time. */
type CallKind = 'idempotent' | 'once'
/** What a call answers, of its bytes and of what etcd3 makes of them. */
type Decode<T> = (raw: Buffer, answer: object) => T

/** Bytes: a snapshot takes a tenth longer with 1 MiB, and half as long again with HTTP/2's own 64 KiB. */
export const FLOW_CONTROL_WINDOW = 4 * 1024 * 1024

/** Gives the pool's connections as they are: no retry, no circuit breaker, no cast errors. */
class BareEtcd3 extends Etcd3 {
  bare<T>(method: Method | 'snapshot', use: (client: Client) => T): Promise<T> {
    const service = method === 'snapshot' ? 'Maintenance' : SERVICE_OF[method]
    return this.pool.withConnection(service, ({ client }) =>
      Promise.resolve(use(client as unknown as Client)),
    )
  }
}

/** One endpoint. Every method throws `CallError`, and nothing is ever sent twice except where it says so. */
export class Connection {
  readonly url: string
  readonly #settings: ConnectionSettings
  readonly #etcd3: BareEtcd3
  readonly metrics: MetricsReader
  #certificate: Promise<string | undefined> | undefined
  #token: Promise<string | undefined> | undefined

  constructor(url: string, settings: ConnectionSettings) {
    this.url = url
    this.#settings = settings
    this.metrics = new MetricsReader(url, settings.tls)
    const channelCredentials = credentialsFor(url, settings.tls)
    const { serverName } = settings.tls
    // etcd3 offers no way to skip verification, and forgets the name when it authenticates. Its types know
    // no client options of grpc-js, but it passes them on.
    const channels: ClientOptions = {
      channelFactoryOverride: (address, _, options) => new Channel(address, channelCredentials, options),
    }
    this.#etcd3 = new BareEtcd3({
      hosts: url.replace(/^https?:\/\//, ''),
      // A timed-out Defragment was counted three times on the server with the default policies.
      faultHandling: { global: noop, host: () => noop },
      grpcOptions: {
        ...(channels as object),
        'grpc.enable_retries': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
        'grpc.max_receive_message_length': -1,
        ...(serverName === undefined
          ? {}
          : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
      },
    })
  }

  /** One unary call, with the command timeout unless told otherwise. An expired token is renewed for idempotent ones. */
  async call<T>(
    method: Method,
    payload: object,
    {
      kind = 'idempotent',
      timeoutMs = this.#settings.commandTimeoutMs,
      decode = (_, answer) => answer as T,
    }: { kind?: CallKind; timeoutMs?: number; decode?: Decode<T> } = {},
  ): Promise<T> {
    try {
      return await this.#unary(method, payload, timeoutMs, await this.#metadata(), decode)
    } catch (error) {
      if (!(error instanceof CallError) || !error.tokenExpired) throw error
      this.#token = undefined
      if (kind === 'once' || this.#settings.user === undefined) throw error
      return this.#unary(method, payload, timeoutMs, await this.#metadata(), decode)
    }
  }

  /** Status, with what etcd 3.6 adds to it. */
  async status(timeoutMs = this.#settings.commandTimeoutMs): Promise<StatusAnswer> {
    const decode: Decode<StatusAnswer> = (raw, answer) => ({ ...answer, ...newInStatus(raw) }) as StatusAnswer
    return this.call('status', {}, { timeoutMs, decode })
  }

  /** One message to a method that streams both ways, and the first that comes back. */
  async exchange<T>(method: Method, payload: object, timeoutMs: number): Promise<T> {
    const metadata = await this.#metadata()
    const { promise } = await this.#etcd3.bare(method, client => {
      const open = Reflect.get(client, method) as (
        metadata: Metadata,
        options: CallOptions,
      ) => ClientDuplexStream<object, T>
      const stream = open.call(client, metadata, { deadline: Date.now() + timeoutMs })
      const { promise: answer, resolve, reject } = withResolvers<T>()
      stream.on('error', error => reject(translate(error as ServiceError, timeoutMs)))
      stream.on('end', () =>
        reject(new CallError('the stream ended without an answer', { mayHaveRun: true })),
      )
      stream.once('data', (message: T) => {
        resolve(message)
        stream.cancel() // its error comes after the answer, and changes nothing
      })
      stream.write(payload)
      return { promise: answer } // in an object, as below
    })
    return promise
  }

  /** The blobs of a Snapshot. The caller must cancel the stream: leaving it does not end the call on the server. */
  async snapshot(): Promise<ClientReadableStream<Buffer>> {
    await this.renew()
    const metadata = await this.#metadata()
    return this.#etcd3.bare('snapshot', client => {
      const stream = client.makeServerStreamRequest(
        '/etcdserverpb.Maintenance/Snapshot',
        () => Buffer.alloc(0), // SnapshotRequest has no fields
        parseSnapshotResponse,
        {},
        metadata,
        {},
      )
      stream.on('error', () => {}) // its reader hears of it; after a cancel there is none, and none is needed
      return stream
    })
  }

  /** Has an expired token found out and renewed by a call that may be sent twice, before one that may not. */
  async renew(): Promise<void> {
    if (this.#settings.user === undefined) return
    await this.call('range', HEALTH).catch(() => {}) // the call that follows says what is wrong
  }

  close(): void {
    this.metrics.close()
    this.#etcd3.close()
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata()
    const { user, commandTimeoutMs } = this.#settings
    if (user === undefined) return metadata
    const decode: Decode<string> = (_, answer) => (answer as { token: string }).token
    this.#token ??= this.#unary('authenticate', user, commandTimeoutMs, metadata, decode).then(
      token => token,
      error => {
        // As etcd's own client does (client/v3/client.go, getToken): a user is no hindrance while authentication is off.
        if (error instanceof CallError && error.message === 'authentication is not enabled') return undefined
        this.#token = undefined
        throw error
      },
    )
    const token = await this.#token
    if (token !== undefined) metadata.set('token', token)
    return metadata
  }

  /** A certificate that was not accepted is named, with its dates. */
  async #explained(error: CallError): Promise<never> {
    const { tls } = this.#settings
    if (error.certificate === 'client') throw error.with(certificateOfClient(tls))
    if (error.certificate !== 'server') throw error
    this.#certificate ??= certificateOfServer(this.url, tls)
    throw error.with(await this.#certificate)
  }

  async #unary<T>(
    method: Method,
    payload: object,
    timeoutMs: number,
    metadata: Metadata,
    decode: Decode<T>,
  ): Promise<T> {
    const { dialTimeoutMs } = this.#settings
    const answer = await this.#etcd3.bare(method, client => {
      const { promise, resolve, reject } = withResolvers<T>()
      const { path, requestSerialize, responseDeserialize } = definitionOf(client, method)
      const call = client.makeUnaryRequest<object, T>(
        path,
        requestSerialize,
        raw => decode(raw, responseDeserialize(raw) as object),
        payload,
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          clearTimeout(dialing)
          if (error === null) return resolve(response as T)
          const explained = this.#explained(translate(error, timeoutMs))
          explained.catch(() => {}) // a call that was given up before has told its error already
          resolve(explained)
        },
      )
      const isUp = () => client.getChannel().getConnectivityState(false) === connectivityState.READY
      const dialing = setTimeout(() => {
        if (isUp()) return
        // Not sure that it was not sent: the connection may have come and gone meanwhile.
        reject(new CallError(`no connection within ${dialTimeoutMs} ms`, { mayHaveRun: true }))
        call.cancel()
      }, dialTimeoutMs)
      if (isUp()) clearTimeout(dialing)
      return { promise } // in an object: the pool must not see the call fail, or it resets the channel
    })
    return answer.promise
  }
}

/** How a method's messages are written and read, by the name that etcd3 knows it under. */
function definitionOf(client: Client, method: Method) {
  const { service } = client.constructor as unknown as ServiceClientConstructor
  const definition = Object.values(service).find(({ originalName }) => originalName === method)
  if (definition === undefined) throw new Error(`etcd has no method ${method}`)
  return definition
}

const credentialsFor = (url: string, { context, skipVerify }: Tls): ChannelCredentials =>
  url.startsWith('https://')
    ? credentials.createFromSecureContext(context(), { rejectUnauthorized: !skipVerify })
    : credentials.createInsecure()

/** Promise.withResolvers, which Node has from 22 on. */
function withResolvers<T>(): {
  promise: Promise<T>
  resolve: (value: T | Promise<T>) => void
  reject: (reason: unknown) => void
} {
  let resolve: (value: T | Promise<T>) => void = () => {}
  let reject: (reason: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
