import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Failure } from '../../model/fault.js'

/** What connections are secured with. */
export type Tls = Readonly<{
  /** One for all connections, since each takes a while, and none where there is none with TLS. */
  context(): SecureContext
  cert: Buffer | undefined
  key: Buffer | undefined
  skipVerify: boolean
  /** The name to look for in the server's certificate instead of the host's. */
  serverName: string | undefined
}>

export type TlsFiles = Readonly<{
  cacert: string | undefined
  cert: string | undefined
  key: string | undefined
  skipVerify: boolean
  serverName: string | undefined
}>

/** Reads the files. Throws a `config` fault that names the one which is missing, unreadable or does not fit. */
export async function loadTls(
  { cacert, cert, key, skipVerify, serverName }: TlsFiles,
  /** Where an option's value was written. */
  whereOf: (option: 'cacert' | 'cert' | 'key') => string,
): Promise<Tls> {
  const [ca, certificate, privateKey] = await Promise.all([
    contentOf(whereOf('cacert'), cacert),
    contentOf(whereOf('cert'), cert),
    contentOf(whereOf('key'), key),
  ])
  if (ca !== undefined)
    understood(whereOf('cacert'), cacert, 'no PEM certificate', () => new X509Certificate(ca))
  if (certificate !== undefined && privateKey !== undefined) {
    const x509 = understood(
      whereOf('cert'),
      cert,
      'no PEM certificate',
      () => new X509Certificate(certificate),
    )
    const secret = understood(whereOf('key'), key, 'no PEM private key', () => createPrivateKey(privateKey))
    if (!x509.checkPrivateKey(secret))
      throw new Failure({
        kind: 'config',
        option: whereOf('key'),
        problem: `${key} is not the key of the certificate ${cert}`,
      })
  }
  return tlsOf({ ca, cert: certificate, key: privateKey, skipVerify, serverName })
}

/** The same of what was read. */
export function tlsOf({ ca, ...tls }: Omit<Tls, 'context'> & { readonly ca: Buffer | undefined }): Tls {
  const { cert, key } = tls
  let made: SecureContext | undefined
  const context = () =>
    (made ??= createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    }))
  return { ...tls, context }
}

async function contentOf(option: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new Failure({ kind: 'config', option, problem: `${file} cannot be read (${cause.code})` }, cause)
  })
}

function understood<T>(option: string, file: string | undefined, what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new Failure({ kind: 'config', option, problem: `${file} holds ${what}` }, cause)
  }
}
