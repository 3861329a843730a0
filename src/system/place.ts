import { readlink, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { bootIdOf } from './bootId.js'
import type { Holder } from './etcd/coordination.js'
import { LOCK_FOLDER } from './hostLock.js'

/**
 * Who this process is to a run elsewhere, and its place: two processes of one place keep each other away by the host
 * lock. That is one boot of one kernel (proc_sys_kernel(5), `boot_id`) and one folder of locks, of which containers have
 * each their own; a unit whose /run is not the node's has the node's in it. Before the host lock is taken it may be missing.
 */
export async function ownPlace(): Promise<Holder> {
  const [boot, locks, self] = await Promise.all([
    bootIdOf(),
    stat(LOCK_FOLDER).catch(() => undefined),
    readlink('/proc/self').catch(() => 'unknown'),
  ])
  return {
    by: `process ${self} on host ${hostname()}`,
    place: boot === undefined || locks === undefined ? '' : `${boot} ${locks.dev}:${locks.ino}`,
  }
}
