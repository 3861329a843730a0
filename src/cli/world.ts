import type { Config } from '../config/resolve.js'
import { Failure } from '../model/fault.js'
import type { Policy } from '../model/policy.js'
import { EtcdCoordination } from '../system/etcd/coordination.js'
import { EtcdCluster } from '../system/etcd/etcd.js'
import { loadTls } from '../system/etcd/tls.js'
import { ownPlace } from '../system/place.js'

/** The cluster that the configuration names. Throws a `config` fault where its files do not fit. */
export async function connect({ values, user, origins }: Config): Promise<EtcdCluster> {
  const whereOf = (name: string) => origins.find(origin => origin.name === name)?.where ?? name
  const files = {
    cacert: values.cacert,
    cert: values.cert,
    key: values.key,
    skipVerify: values['insecure-skip-tls-verify'],
    serverName: values['tls-server-name'],
  }
  const tls = await loadTls(files, whereOf)
  const settings = {
    endpoints: values.endpoints,
    tls,
    user,
    dialTimeoutMs: values['dial-timeout'],
    commandTimeoutMs: values['command-timeout'],
    defragTimeoutMs: values['defrag-timeout'],
  }
  try {
    return new EtcdCluster(settings)
  } catch (error) {
    const problem = `cannot be used (${error instanceof Error ? error.message : error})`
    throw new Failure({ kind: 'config', option: '--cacert, --cert or --key', problem }, error)
  }
}

/** What is kept in etcd under the configured prefix. */
export const coordinationOf = ({ values }: Config, etcd: EtcdCluster): EtcdCoordination =>
  new EtcdCoordination(etcd, values['coordination-prefix'], ownPlace)

/**
 * etcd itself calls a member that is 5000 entries behind too slow for writes (etcd:
 * server/etcdserver/v3_server.go, maxGapBetweenApplyAndCommitIndex); ready again is well below.
 */
const MAX_LAG = 1000n
const MAX_MOVES = 5
const CALM_LOOKS = 3
/** A Defragment whose connection broke may begin a moment later. */
const CALM_AFTER_DOUBT_MS = 1_000

export const policyOf = ({ values }: Config): Policy =>
  Object.freeze({
    forceSingle: values['force-single'],
    forceUnhealthy: values['force-unhealthy'],
    forceNonleader: values['force-nonleader'],
    forceVersion: values['force-version'],
    forceDisk: values['force-disk'],
    waitMs: values.wait ?? 0,
    coordinates: values.coordination,
    minIntervalMs: values['min-interval'],
    pauseMs: values.pause,
    minUptimeMs: values['min-uptime'],
    maxStallMs: values['max-stall'],
    disarms: values.disarm,
    job: 'nightly' as const,
    retention: {
      keep: values['backup-keep'],
      daily: values['backup-keep-daily'],
      weekly: values['backup-keep-weekly'],
    },
    backupPath: values.backup ? values['backup-path'] : undefined,
    dataDir: values['data-dir'],
    trims: values.trim,
    maxLag: MAX_LAG,
    maxMoves: MAX_MOVES,
    calmLooks: CALM_LOOKS,
    calmAfterDoubtMs: CALM_AFTER_DOUBT_MS,
    settleTimeoutMs: values['settle-timeout'],
  })

/** What is left of the nightly job when nothing but a backup is wanted. */
export function backupOnly(policy: Policy): Policy {
  if (policy.backupPath === undefined)
    throw new Failure({ kind: 'config', option: '--no-backup', problem: 'leaves nothing to do' })
  return { ...policy, job: 'backup', trims: false, disarms: false }
}
