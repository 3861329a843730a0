import { resolve } from 'node:path'
import { generationsOf } from '../backup/generations.js'
import { bytes, span } from '../report/format.js'
import { type DrillResult, drill } from '../restore/drill.js'
import type { Command } from './command.js'
import { ownDataDirs } from './restoreFlags.js'

/** `etcd-defrag backup drill [FILE]`: whether the backup becomes an etcd again. The etcd that runs is not touched. */
export const drillCommand: Command = async context => {
  const { config, out, own, stop, file } = context
  const isJson = config.values.output === 'json'
  const archive = resolve(file ?? config.values['backup-path'])
  if (own['if-any'] && (await generationsOf(archive)).length === 0) {
    const because = `there is no backup at ${archive}, and no earlier one beside it`
    const skipped = { format: 1, verdict: 'skipped', exitCode: 0, because }
    out.stdout.write(isJson ? `${JSON.stringify(skipped, null, 2)}\n` : `nothing to drill: ${because}\n`)
    return 0
  }
  const result = await drill({
    file: archive,
    drillDir: own['drill-dir'] === undefined ? undefined : resolve(own['drill-dir']),
    etcdutl: own.etcdutl,
    etcd: own.etcd,
    dataDirs: await ownDataDirs(context),
    forceNoHash: own['force-no-hash'],
    user: config.user,
    now: Date.now,
    random: Math.random,
    signal: stop,
    tell: phase => {
      if (!isJson) out.stderr.write(`${phase}\n`)
    },
  })
  out.stdout.write(`${isJson ? JSON.stringify(drillJson(result), null, 2) : drillText(result)}\n`)
  return 0
}

function drillText(result: DrillResult): string {
  const { verified, provenance, restorer, etcd, reading, peakMemory, tookMs } = result
  const { keys, store } = reading
  const at = provenance === undefined ? '' : `, of ${provenance.takenAt}`
  const lines: readonly (readonly [string, string])[] = [
    [
      'drill',
      `${verified.path}${at}: ${keys.kind === 'read' ? 'it restores, and what comes of it serves' : 'it restores and starts; not read, since authentication is on'}`,
    ],
    [
      'content',
      `${bytes(verified.content.bytes)} in ${bytes(verified.archive.bytes)}${store === undefined ? '' : `; ${bytes(store.dbSize)} restored`}`,
    ],
    ...(store === undefined ? [] : [['revision', String(store.revision)] as const]),
    [
      'keys',
      keys.kind === 'read'
        ? `${keys.count}, each read by etcd; ${keys.sampled} of them at random read with their values`
        : 'not one was read: set --user and --password-file to one that may read all of it',
    ],
    ...(store === undefined || store.alarms.length === 0
      ? []
      : [
          [
            'alarms',
            `${store.alarms.map(alarm => alarm.kind).join(', ')}, as in the source when it was backed up`,
          ] as const,
        ]),
    ['with', `${restorer.path} (${restorer.name} ${restorer.version}), ${etcd.path} (etcd ${etcd.version})`],
    ...(peakMemory === undefined
      ? []
      : [['memory', `${bytes(peakMemory)} at most, of etcd with the database that it maps`] as const]),
    [
      'took',
      `verified in ${span(tookMs.verify)}, decompressed in ${span(tookMs.unpack)}, restored in ${span(tookMs.restore)}, started in ${span(tookMs.start)}, read in ${span(tookMs.read)}, stopped in ${span(tookMs.stop)}`,
    ],
  ]
  return lines.map(([title, text]) => `${title.padEnd(10)}${text}`).join('\n')
}

const drillJson = ({ verified, provenance, restorer, etcd, reading, peakMemory, tookMs }: DrillResult) => ({
  format: 1,
  verdict: 'completed',
  exitCode: 0,
  archive: { path: verified.path, takenAt: provenance?.takenAt ?? null, ...verified.archive },
  content: verified.content,
  revision: reading.store?.revision ?? null,
  dbSize: reading.store?.dbSize ?? null,
  keys: reading.keys.kind === 'read' ? reading.keys.count : null,
  sampled: reading.keys.kind === 'read' ? reading.keys.sampled : 0,
  read: reading.keys.kind === 'read',
  alarms: reading.store?.alarms ?? [],
  programs: { restorer, etcd },
  peakMemory: peakMemory ?? null,
  tookMs,
})
