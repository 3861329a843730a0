import { readFile, readlink, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { Holder } from './etcd/coordination.js'

/**
 * Who this process is to a run elsewhere, and its place: two processes of one place keep each other away by the host
 * lock. That is one boot of one kernel (proc_sys_kernel(5), `boot_id`) and one /run, which containers have each their own.
 */
export async function ownPlace(): Promise<Holder> {
  const [boot, run, self] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    stat('/run').catch(() => undefined),
    readlink('/proc/self').catch(() => 'unknown'),
  ])
  return {
    by: `process ${self} on host ${hostname()}`,
    place: boot === '' || run === undefined ? '' : `${boot.trim()} ${run.dev}:${run.ino}`,
  }
}
