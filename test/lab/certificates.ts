import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto as never)
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export type Names = Readonly<{ dns: readonly string[]; ip: readonly string[] }>
const local: Names = { dns: ['localhost'], ip: ['127.0.0.1', '::1'] }

/** A certificate authority in a folder, and the certificates it signs there: NAME.crt and NAME.key. */
export class Authority {
  readonly folder: string
  readonly file: string
  readonly #keys: CryptoKeyPair
  readonly #certificate: x509.X509Certificate
  #serial = Math.floor(Math.random() * 1_000_000)

  private constructor(folder: string, keys: CryptoKeyPair, certificate: x509.X509Certificate) {
    this.folder = folder
    this.file = join(folder, 'ca.crt')
    this.#keys = keys
    this.#certificate = certificate
  }

  static async create(folder: string): Promise<Authority> {
    await mkdir(folder, { recursive: true })
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=etcd-ca',
      ...validity(),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new x509.BasicConstraintsExtension(true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign),
      ],
    })
    await writeFile(join(folder, 'ca.crt'), certificate.toString('pem'))
    await writeFile(join(folder, 'ca.key'), await privatePem(keys))
    return new Authority(folder, keys, certificate)
  }

  /** The authority that was created in that folder. */
  static async of(folder: string): Promise<Authority> {
    const certificate = new x509.X509Certificate(await readFile(join(folder, 'ca.crt'), 'utf8'))
    const [pkcs8] = x509.PemConverter.decode(await readFile(join(folder, 'ca.key'), 'utf8'))
    const privateKey = await webcrypto.subtle.importKey(
      'pkcs8',
      pkcs8 ?? new ArrayBuffer(0),
      algorithm,
      true,
      ['sign'],
    )
    const publicKey = (await certificate.publicKey.export()) as unknown as CryptoKeyPair['publicKey']
    return new Authority(folder, { privateKey, publicKey }, certificate)
  }

  /** `usages` is the extended key usage; kubeadm's server and peer certificates have both. */
  async issue(
    name: string,
    {
      names = local,
      usages = ['serverAuth', 'clientAuth'],
      valid = validity(),
    }: { names?: Names; usages?: ('serverAuth' | 'clientAuth')[]; valid?: Validity } = {},
  ): Promise<{ cert: string; key: string }> {
    const keys = await newKeys()
    this.#serial += 1
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: this.#serial.toString(16).padStart(8, '0'),
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      ...valid,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey as never,
      signingKey: this.#keys.privateKey as never,
      extensions: [
        new x509.ExtendedKeyUsageExtension(usages.map(usage => x509.ExtendedKeyUsage[usage])),
        new x509.SubjectAlternativeNameExtension([
          ...names.dns.map(value => ({ type: 'dns' as const, value })),
          ...names.ip.map(value => ({ type: 'ip' as const, value })),
        ]),
      ],
    })
    const cert = join(this.folder, `${name}.crt`)
    const key = join(this.folder, `${name}.key`)
    await writeFile(cert, certificate.toString('pem'))
    await writeFile(key, await privatePem(keys))
    await chmod(key, 0o600)
    return { cert, key }
  }
}

const privatePem = async ({ privateKey }: CryptoKeyPair): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')

const newKeys = async () =>
  (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair

export type Validity = Readonly<{ notBefore: Date; notAfter: Date }>

function validity(): Validity {
  const hour = 3_600_000
  return { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + 24 * hour) }
}
type CryptoKeyPair = webcrypto.CryptoKeyPair
