import { X509Certificate } from 'node:crypto'
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import type { Found } from './sources.js'

/** RFC 5280, section 4.2.1.12: id-kp-clientAuth. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

type MaybePair = Readonly<{ cert: Found | undefined; key: Found | undefined }>
export type Pair = Readonly<{ cert: Found; key: Found }>

/** The first pair that can be read and whose certificate a server takes from a client. */
export async function firstClientPair(pairs: readonly MaybePair[]): Promise<Pair | undefined> {
  for (const { cert, key } of pairs)
    if (
      cert !== undefined &&
      key !== undefined &&
      (await isReadable(key.text)) &&
      (await isForClients(cert.text))
    )
      return { cert, key }
  return undefined
}

export const isReadable = (file: string): Promise<boolean> =>
  access(file, constants.R_OK).then(
    () => true,
    () => false,
  )

async function isForClients(file: string): Promise<boolean> {
  try {
    const { keyUsage } = new X509Certificate(await readFile(file)) // Node's name for the extended key usage
    return keyUsage === undefined || keyUsage.includes(CLIENT_AUTH)
  } catch {
    return false // unreadable or no certificate: the next pair may do
  }
}
