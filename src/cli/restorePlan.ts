import { resolve } from 'node:path'
import { shown } from '../report/format.js'
import { clusterOf, refuseOddToken, tokenOf } from '../restore/identity.js'
import { inspectArchive, refuseUnhashed } from '../restore/inspect.js'
import type { OnNode, Runbook, Way } from '../restore/onNodes.js'
import { runbookOf } from '../restore/runbook.js'
import { isStaticPodNode } from '../restore/runtime.js'
import type { Context } from './command.js'
import { bumpOf, fileOf, wishesOf } from './restoreFlags.js'

const KUBEADM_CLIENT = ['ca.crt', 'healthcheck-client.crt', 'healthcheck-client.key'] as const

/** `etcd-defrag backup restore FILE --plan`: what to do on every node. The archive is read, and nothing else is needed. */
export async function planRestore(context: Context): Promise<number> {
  const { config, out, own, stop } = context
  const archive = fileOf(context)
  await using inspected = await inspectArchive(archive, { signal: stop })
  const { verified, provenance } = inspected
  refuseUnhashed(verified, own['force-no-hash'])
  const wishes = wishesOf(context)
  refuseOddToken(wishes)
  const { cluster, notes } = clusterOf(wishes, provenance)
  const runtime = own.runtime ?? ((await isStaticPodNode()) ? 'static-pod' : 'systemd')
  const { cacert, cert, key } = config.values
  const [ca, certificate, privateKey] = KUBEADM_CLIENT.map(name => `/etc/kubernetes/pki/etcd/${name}`)
  const files =
    cacert === undefined && cert === undefined && runtime === 'static-pod'
      ? { cacert: ca, cert: certificate, key: privateKey }
      : { cacert, cert, key }
  const runbook = runbookOf({
    archive,
    archiveSha256: verified.archive.sha256,
    provenance,
    cluster,
    notes,
    token: tokenOf(wishes, verified.content.sha256),
    dataDir: resolve(config.values['data-dir']),
    bump: bumpOf(context),
    flags: [
      ...(own['force-no-hash'] ? ['--force-no-hash'] : []),
      ...(own.etcdutl === undefined ? [] : ['--etcdutl', own.etcdutl]),
    ],
    runtime,
    client: Object.entries(files).flatMap(([flag, file]) =>
      file === undefined ? [] : [`--${flag}=${file}`],
    ),
  })
  const text =
    config.values.output === 'json'
      ? JSON.stringify({ format: 1, ...runbook }, null, 2)
      : runbookText(runbook)
  out.stdout.write(`${text}\n`)
  return 0
}

function runbookText({ archive, takenAt, revision, notes, ways, runtime }: Runbook): string {
  const made = takenAt === undefined ? 'without provenance' : `of ${takenAt}, revision ${revision}`
  const moving =
    'Other nodes, or more or fewer of them: this command again with --initial-cluster NAME=https://HOST:2380,…'
  const other = runtime === 'static-pod' ? 'systemd' : 'static-pod'
  return [
    `How to restore ${archive} (${made}), for etcd as a ${runtime === 'systemd' ? 'service of systemd (--runtime systemd)' : 'static pod (--runtime static-pod)'}; --runtime ${other} shows the other way.`,
    'Each indented line can be pasted as it is, by root. Nothing was touched so far.',
    ...notes.map(note => `Note: ${shown(note, 300)}.`),
    moving,
    ...ways.flatMap((way, i) => ['', ...wayText(way, String.fromCharCode(65 + i))]),
  ].join('\n')
}

const wayText = ({ title, when, steps }: Way, letter: string): readonly string[] => [
  `${letter}. ${shown(title, 200)}`,
  `   When ${shown(when, 300)}.`,
  ...steps
    .filter(step => step.nodes.length > 0)
    .flatMap((step, i) => [
      '',
      `   ${letter}${i + 1}. ${step.title}: ${step.why}.`,
      ...together(step.nodes).flatMap(({ where, commands }) => [
        `   On ${where}:`,
        ...commands.map(command => `       ${command}`),
      ]),
    ]),
]

/** Once where all nodes have the same to do. */
function together(
  nodes: readonly OnNode[],
): readonly Readonly<{ where: string; commands: readonly string[] }>[] {
  const placeOf = ({ node, host }: OnNode) =>
    `${shown(node)}${host === '' || host === node ? '' : ` (${host})`}`
  const [first] = nodes
  const isSame = nodes.every(({ commands }) => commands.join('\n') === first?.commands.join('\n'))
  if (first !== undefined && nodes.length > 1 && isSame)
    return [{ where: `each of ${nodes.map(placeOf).join(', ')}`, commands: first.commands }]
  return nodes.map(on => ({ where: placeOf(on), commands: on.commands }))
}
