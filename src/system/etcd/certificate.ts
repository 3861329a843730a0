import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:tls'
import type { Tls } from './tls.js'

const TIMEOUT_MS = 2_000

/** Whose certificate it is, who signed it and from when to when it is valid; nothing where there is none. */
function told(certificate: X509Certificate): string {
  const nameOf = (names: string) => /^CN=(.*)$/m.exec(names)?.[1] ?? names.replaceAll('\n', ', ')
  const day = (date: string) => new Date(date).toISOString().replace(/\.\d+Z$/, 'Z')
  return `${nameOf(certificate.subject)}, issued by ${nameOf(certificate.issuer)}, valid from ${day(certificate.validFrom)} to ${day(certificate.validTo)}`
}

/** The certificate that a server shows, whatever it is worth: nothing is sent to it. Undefined where it shows none. */
export async function certificateOfServer(url: string, { cert, key }: Tls): Promise<string | undefined> {
  const { hostname, port } = new URL(url)
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  })
  socket.on('error', () => {}) // an explanation is not worth an error of its own
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    const { raw } = socket.getPeerCertificate()
    return raw === undefined ? undefined : told(new X509Certificate(raw))
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

export const certificateOfClient = ({ cert }: Tls): string | undefined =>
  cert === undefined ? undefined : told(new X509Certificate(cert))
