import { bytes, shown, span } from '../report/format.js'
import { nextSteps } from '../restore/onNodes.js'
import { type RestoreResult, restore } from '../restore/restore.js'
import { isStaticPodNode } from '../restore/runtime.js'
import type { Command, Context } from './command.js'
import { bumpOf, dataDirOf, fileOf, ownDataDirs, wishesOf } from './restoreFlags.js'
import { planRestore } from './restorePlan.js'

/** `etcd-defrag backup restore FILE`: a member's data directory from an archive. It asks no etcd. */
export const restoreCommand: Command = async context => {
  const { config, out, own, stop } = context
  if (own.plan) return planRestore(context)
  const isJson = config.values.output === 'json'
  const result = await restore({
    file: fileOf(context),
    dataDir: dataDirOf(context),
    dataDirs: await ownDataDirs(context),
    wishes: wishesOf(context),
    etcdutl: own.etcdutl,
    bump: bumpOf(context),
    forceNoHash: own['force-no-hash'],
    now: Date.now,
    signal: stop,
    tell: phase => {
      if (!isJson) out.stderr.write(`${phase}\n`)
    },
  })
  for (const warning of result.warnings) out.stderr.write(`etcd-defrag: warning: ${warning}\n`)
  const isStaticPod = await isStaticPodNode()
  const next = nextSteps(result.identity, isStaticPod ? 'static-pod' : 'systemd')
  const text = isJson
    ? JSON.stringify(restoreJson(context, result, next), null, 2)
    : restoreText(context, result, next)
  out.stdout.write(`${text}\n`)
  return 0
}

function restoreText(context: Context, result: RestoreResult, next: readonly string[]): string {
  const { identity, verified, program, aside, token, tookMs } = result
  const dataDir = dataDirOf(context)
  const bump = bumpOf(context)
  const lines: readonly (readonly [string, string])[] = [
    ['restored', `${dataDir}, from ${verified.path} (${bytes(verified.content.bytes)})`],
    ['member', `${shown(identity.name)} at ${identity.peerUrls.join(',')}`],
    ['cluster', `${identity.cluster.map(m => shown(m.name)).join(', ')}; token ${token}`],
    ['revision', bump > 0 ? `moved forward by ${bump}, all before it compacted` : 'as in the archive'],
    ['with', `${program.path} (${program.name} ${program.version})`],
    ['old data', aside ?? 'there was none'],
    [
      'took',
      `verified in ${span(tookMs.verify)}, decompressed in ${span(tookMs.unpack)}, restored in ${span(tookMs.restore)}`,
    ],
    ...identity.notes.map(note => ['note', shown(note, 200)] as const),
  ]
  return [
    ...lines.map(([title, text]) => `${title.padEnd(10)}${text}`),
    '',
    'What to do next:',
    ...next.map((line, i) => `${i + 1}. ${line}`),
  ].join('\n')
}

const restoreJson = (context: Context, result: RestoreResult, next: readonly string[]) => ({
  format: 1,
  verdict: 'completed',
  exitCode: 0,
  dataDir: dataDirOf(context),
  oldData: result.aside ?? null,
  archive: { path: result.verified.path, ...result.verified.archive },
  content: result.verified.content,
  member: { name: result.identity.name, peerUrls: result.identity.peerUrls },
  initialCluster: result.identity.cluster,
  token: result.token,
  bumpRevision: bumpOf(context),
  program: result.program,
  tookMs: result.tookMs,
  notes: result.identity.notes,
  warnings: result.warnings,
  next,
})
