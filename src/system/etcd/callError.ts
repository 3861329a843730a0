import { type ServiceError, status } from '@grpc/grpc-js'
import { Failure } from '../../model/fault.js'

/** A gRPC call that failed, in words an operator can use. Never leaves `system/`. */
export class CallError extends Error {
  override readonly name = 'CallError'
  /** False when it is certain that etcd did not act on the call. */
  readonly mayHaveRun: boolean
  readonly timedOut: boolean
  /** etcd itself refused it, and any other member would. */
  readonly answered: boolean
  readonly tokenExpired: boolean
  readonly permissionDenied: boolean
  /** NOSPACE: etcd takes no writes. */
  readonly outOfSpace: boolean
  readonly asksForUser: boolean
  /** Whose certificate was not accepted. */
  readonly certificate: 'server' | 'client' | undefined

  constructor(
    problem: string,
    facts: Readonly<{
      mayHaveRun: boolean
      timedOut?: boolean
      answered?: boolean
      tokenExpired?: boolean
      permissionDenied?: boolean
      outOfSpace?: boolean
      asksForUser?: boolean
      certificate?: 'server' | 'client' | undefined
    }>,
    cause?: unknown,
  ) {
    super(problem, { cause })
    this.mayHaveRun = facts.mayHaveRun
    this.timedOut = facts.timedOut ?? false
    this.answered = facts.answered ?? false
    this.tokenExpired = facts.tokenExpired ?? false
    this.permissionDenied = facts.permissionDenied ?? false
    this.outOfSpace = facts.outOfSpace ?? false
    this.asksForUser = facts.asksForUser ?? false
    this.certificate = facts.certificate
  }

  /** The same, with what was found out about the certificate. */
  with(certificate: string | undefined): CallError {
    return certificate === undefined
      ? this
      : new CallError(`${this.message}: ${certificate}`, this, this.cause)
  }
}

/** The words of a failed call; anything else is a bug of ours and is thrown on. */
export function problemOf(error: unknown): string {
  if (error instanceof CallError) return error.message
  throw error
}

/**
 * Codes that only etcd itself answers with (etcd: api/v3rpc/rpctypes/error.go; UNKNOWN for what has none): whatever
 * it did, it is over. The others may come from a connection that broke or a deadline that passed meanwhile.
 */
const answers: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
])

export function translate(error: ServiceError, timeoutMs: number): CallError {
  const details = error.details ?? error.message
  const sent = reachedServer(error.code, details)
  const outOfSpace = error.code === status.RESOURCE_EXHAUSTED && /database space exceeded/.test(details)
  // An HTTP status comes from a proxy, or from a connection that closed cleanly: grpc-js makes a code of ours of it.
  const isAnswer = outOfSpace || (answers.has(error.code) && !/^Received HTTP status code/.test(details))
  const { words, certificate } = wordsFor(error.code, details, timeoutMs)
  return new CallError(
    words,
    {
      mayHaveRun: sent && !isAnswer,
      timedOut: error.code === status.DEADLINE_EXCEEDED,
      answered: sent && isAnswer,
      tokenExpired: /invalid auth token|revision of auth store is old/.test(details),
      permissionDenied: error.code === status.PERMISSION_DENIED,
      outOfSpace,
      asksForUser: /user name is empty/.test(details),
      certificate,
    },
    error,
  )
}

/** grpc-js names the peer in a timed-out call once it had one, and says so when there never was one. */
function reachedServer(code: status, details: string): boolean {
  if (code === status.DEADLINE_EXCEEDED) return details.includes('remote_addr')
  return !/^No connection established|^Name resolution failed/.test(details)
}

type Told = Readonly<{ words: string; certificate?: 'server' | 'client' | undefined }>

function wordsFor(code: status, details: string, timeoutMs: number): Told {
  if (code === status.DEADLINE_EXCEEDED) return { words: `no answer within ${timeoutMs / 1000} s` }
  // grpc-js, of a call whose connection ended cleanly before any answer: the server went away in the middle of it.
  if (/^Received HTTP status code 200/.test(details))
    return { words: 'the connection was closed before an answer came' }
  if (/user name is empty/.test(details))
    return { words: 'etcd asks for a user: set --user and --password-file' }
  const [, connecting] =
    /^No connection established\. Last error: (?:Error: )?([\s\S]*?)\s*(?:\(\d{4}-[^)]*\))?\.? Resolution note/.exec(
      details,
    ) ?? []
  // OpenSSL's own form is `error:CODE:library:function:reason:file:line:`.
  const words = (connecting ?? details)
    .replace(/^[\s\S]*error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):[\s\S]*$/, '$1')
    .replace(/^etcdserver: /, '')
  const known =
    connecting === undefined && !/^Failed to connect/.test(words)
      ? clientHints
      : [...addressHints, ...clientHints]
  const [, advice, certificate] = known.find(([pattern]) => pattern.test(words)) ?? []
  return advice === undefined ? { words } : { words: `${words} (${advice})`, certificate }
}

type Hint = readonly [pattern: RegExp, advice: string, certificate?: 'server' | 'client']

/** Of a connection that never came about. */
const addressHints: readonly Hint[] = [
  [/ECONNREFUSED/, 'nothing listens there: is etcd running, is --endpoints right?'],
  [
    /wrong version number|packet length too long|before secure TLS connection/,
    'it speaks no TLS: use http:// in --endpoints',
  ],
  [
    /ECONNRESET|socket hang up|Connection dropped|Failed to connect|Protocol error|HTTP\/1/,
    'it may speak TLS, or not be etcd: look at --endpoints and --cacert',
  ],
  [/has expired|CERT_HAS_EXPIRED/, 'its certificate has expired', 'server'],
  [/altnames|ERR_TLS_CERT_ALTNAME/i, 'its certificate is for other names: set --tls-server-name', 'server'],
  [
    /self.signed|unable to (?:get|verify)|UNABLE_TO|issuer|signature failure/i,
    'its certificate is not signed by --cacert',
    'server',
  ],
]

/** With TLS 1.3 a server refuses the client's certificate when the connection already stands. */
const clientHints: readonly Hint[] = [
  [/invalid user ID or password|auth: user not found/, 'look at --user and --password-file'],
  [/auth: permission denied/, 'the user needs the root role: look at --user'],
  [
    /certificate (?:required|expired)|bad certificate|handshake failure|unknown ca|alert number (?:40|42|45|46|48|116)/i,
    'it does not accept the client certificate: look at --cert and --key',
    'client',
  ],
]

/** What a call to whichever member answers comes to; throws `Failure` (`etcd`) for a `CallError`. */
export async function failing<T>(call: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CallError)) throw error
    const { message: problem, mayHaveRun, timedOut } = error
    throw new Failure({ kind: 'etcd', call, member: undefined, problem, mayHaveRun, timedOut }, error)
  }
}
