import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Authority } from './certificates.js'
import { programOf, until } from './cluster.js'
import { type Disk, Machine } from './machine.js'
import { Network } from './network.js'

const run = promisify(execFile)
const PKI = '/etc/kubernetes/pki/etcd'
const DATA = '/var/lib/etcd'

export type PlaneNode = Readonly<{
  machine: Machine
  address: string
  clientUrl: string
}>
export type PlaneOptions = Readonly<{
  /** One a node: what its data directory is on, a plain folder where there is nothing, and whose it and etcd are. */
  nodes?: readonly Readonly<{ disk?: Disk; user?: 'root' | 'etcd' }>[]
}>

/** A trim shows on the first two, and on the second nothing of etcd's is root's. */
const standard = [
  { disk: { type: 'ext4', megabytes: 600 } },
  { disk: { type: 'xfs', megabytes: 600 }, user: 'etcd' },
  {},
] as const

/**
 * Booted machines on a bridge, each with a member of one etcd cluster as kubeadm sets it up: static pod manifest,
 * certificates and keys, data in /var/lib/etcd. There is no kubelet; systemd starts etcd with the manifest's flags.
 */
export class ControlPlane implements AsyncDisposable {
  readonly nodes: PlaneNode[] = []
  readonly #folder: string
  readonly #network: Network
  readonly #authority: Authority

  private constructor(folder: string, network: Network, authority: Authority) {
    this.#folder = folder
    this.#network = network
    this.#authority = authority
  }

  /** Boots all machines and waits until each member serves. */
  static async start({ nodes = standard }: PlaneOptions = {}): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), `etcd-machine-${process.pid}-plane-`))
    const authority = await Authority.create(join(folder, 'pki'))
    const plane = new ControlPlane(folder, await Network.create(nodes.length), authority)
    try {
      const layer = await etcdLayer(folder)
      await authority.issue('healthcheck-client', { usages: ['clientAuth'] })
      const addresses = plane.#network.nodes.map(node => node.address)
      for (const [i, { pid, address }] of plane.#network.nodes.entries()) {
        const { disk } = nodes[i] ?? {}
        const disks = disk === undefined ? {} : { [DATA]: disk }
        const machine = await Machine.boot({ name: `node-${i + 1}`, network: pid, layers: [layer], disks })
        plane.nodes.push({ machine, address, clientUrl: `https://${address}:2379` })
      }
      await Promise.all(plane.nodes.map((node, i) => plane.#setUp(node, addresses, nodes[i]?.user ?? 'root')))
      await until('each member serves', () =>
        plane.etcdctl(['endpoint', 'health']).then(
          () => true,
          () => false,
        ),
      )
      return plane
    } catch (error) {
      await plane[Symbol.asyncDispose]()
      throw error
    }
  }

  async #setUp({ machine, address }: PlaneNode, all: readonly string[], user: string): Promise<void> {
    const pki = this.#authority.folder
    for (const name of ['server', 'peer']) {
      const names = { dns: ['localhost', machine.name], ip: [address, '127.0.0.1', '::1'] }
      const { cert, key } = await this.#authority.issue(`${name}-${machine.name}`, { names })
      await machine.write(`${PKI}/${name}.crt`, await readFile(cert))
      await machine.write(`${PKI}/${name}.key`, await readFile(key), '0600')
    }
    for (const name of ['ca', 'healthcheck-client']) {
      await machine.write(`${PKI}/${name}.crt`, await readFile(join(pki, `${name}.crt`)))
      await machine.write(`${PKI}/${name}.key`, await readFile(join(pki, `${name}.key`)), '0600')
    }
    const initial = all.map((peer, i) => `node-${i + 1}=https://${peer}:2380`).join(',')
    const command = etcdCommand(machine.name, address, initial)
    await machine.write('/etc/kubernetes/manifests/etcd.yaml', manifest(command), '0600')
    await machine.write('/etc/systemd/system/etcd.service', unit(command, user))
    if (user !== 'root')
      await machine.sh(`useradd --system ${user}; chown ${user}: ${PKI}/server.key ${PKI}/peer.key`)
    await machine.sh(`
      mkdir -p ${DATA}; chown ${user}: ${DATA}; chmod 0700 ${DATA}
      systemctl daemon-reload; systemctl enable --now --no-block etcd`)
  }

  /** Runs etcdctl on the first node, against all members. */
  async etcdctl(args: readonly string[], nodes: readonly PlaneNode[] = this.nodes): Promise<string> {
    const client = ['cacert=ca.crt', 'cert=healthcheck-client.crt', 'key=healthcheck-client.key']
    const flags = client.map(flag => `--${flag.replace('=', `=${PKI}/`)}`)
    const endpoints = `--endpoints=${nodes.map(node => node.clientUrl).join(',')}`
    const [first] = this.nodes
    const ended = await first?.machine.execute(['etcdctl', endpoints, ...flags, ...args])
    if (ended?.code !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${ended?.stderr}`)
    return ended.stdout
  }

  async leader(): Promise<PlaneNode> {
    type Status = Readonly<{ Endpoint: string; Status: { leader?: number; header: { member_id: number } } }>
    const statuses = JSON.parse(await this.etcdctl(['endpoint', 'status', '-w', 'json'])) as Status[]
    const leading = statuses.find(({ Status }) => Status.leader === Status.header.member_id)
    const leader = this.nodes.find(node => node.clientUrl === leading?.Endpoint)
    if (leader === undefined) throw new Error('no member leads')
    return leader
  }

  async followers(): Promise<readonly PlaneNode[]> {
    const leader = await this.leader()
    return this.nodes.filter(node => node !== leader)
  }

  /** Makes the node's member lead, with etcd's own client. */
  async moveLeader(to: PlaneNode): Promise<void> {
    const leader = await this.leader()
    if (leader === to) return
    const list = await this.etcdctl(['member', 'list']) // as text: JSON numbers do not hold 64 bits
    const id = new RegExp(`^([0-9a-f]+), started, ${to.machine.name},`, 'm').exec(list)?.[1] ?? ''
    await this.etcdctl(['move-leader', id], [leader])
  }

  /** As `fragment` of fill.ts: writes, deletes all but every `keep`th, and compacts. */
  async fragment(megabytes: number, keep = 10): Promise<void> {
    const { folder, file } = this.#authority
    const key = join(folder, 'healthcheck-client')
    const cluster = {
      members: this.nodes.map(({ clientUrl }) => ({ clientUrl })),
      client: { ca: file, cert: `${key}.crt`, key: `${key}.key` },
    }
    const script = `const { clientOf, fill } = await import(${JSON.stringify(import.meta.resolve('./fill.js'))})
      await fill(await clientOf(${JSON.stringify(cluster)}), ${megabytes}, ${keep})`
    const node = [process.execPath, '--no-deprecation', '--input-type=module', '-e', script]
    const [program = '', ...args] = [...this.#network.through, ...node]
    await run(program, args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ machine }) => machine[Symbol.asyncDispose]()))
    await this.#network[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** The programs of Debian's etcd without its unit and its /etc/default/etcd. */
async function etcdLayer(folder: string): Promise<string> {
  const layer = join(folder, 'layer')
  await mkdir(join(layer, 'usr/bin'), { recursive: true })
  for (const name of ['etcd', 'etcdctl', 'etcdutl'] as const) {
    await copyFile(programOf('trixie', name), join(layer, 'usr/bin', name))
    await chmod(join(layer, 'usr/bin', name), 0o755)
  }
  return layer
}

/** In kubeadm's order (kubernetes: cmd/kubeadm/app/phases/etcd/local.go, `getEtcdCommand`). */
const etcdCommand = (name: string, address: string, initial: string): readonly string[] => [
  'etcd',
  `--advertise-client-urls=https://${address}:2379`,
  `--cert-file=${PKI}/server.crt`,
  '--client-cert-auth=true',
  `--data-dir=${DATA}`,
  '--experimental-initial-corrupt-check=true',
  '--experimental-watch-progress-notify-interval=5s',
  `--initial-advertise-peer-urls=https://${address}:2380`,
  `--initial-cluster=${initial}`,
  `--key-file=${PKI}/server.key`,
  `--listen-client-urls=https://127.0.0.1:2379,https://${address}:2379`,
  '--listen-metrics-urls=http://127.0.0.1:2381',
  `--listen-peer-urls=https://${address}:2380`,
  `--name=${name}`,
  `--peer-cert-file=${PKI}/peer.crt`,
  '--peer-client-cert-auth=true',
  `--peer-key-file=${PKI}/peer.key`,
  `--peer-trusted-ca-file=${PKI}/ca.crt`,
  '--snapshot-count=10000',
  `--trusted-ca-file=${PKI}/ca.crt`,
]

const manifest = (command: readonly string[]): string => `apiVersion: v1
kind: Pod
metadata:
  labels:
    component: etcd
    tier: control-plane
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command:
${command.map(word => `    - ${word}`).join('\n')}
    image: registry.k8s.io/etcd:3.5.16-0
    livenessProbe:
      failureThreshold: 8
      httpGet:
        host: 127.0.0.1
        path: /livez
        port: probe-port
      initialDelaySeconds: 10
      periodSeconds: 10
      timeoutSeconds: 15
    name: etcd
    volumeMounts:
    - mountPath: ${DATA}
      name: etcd-data
    - mountPath: ${PKI}
      name: etcd-certs
  hostNetwork: true
  volumes:
  - hostPath:
      path: ${PKI}
      type: DirectoryOrCreate
    name: etcd-certs
  - hostPath:
      path: ${DATA}
      type: DirectoryOrCreate
    name: etcd-data
`

const unit = ([, ...flags]: readonly string[], user: string): string => `[Unit]
Description=etcd, in the place of its static pod

[Service]
User=${user}
Environment=ETCD_UNSUPPORTED_ARCH=arm64
ExecStart=/usr/bin/etcd ${flags.join(' ')}
Type=notify
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`
