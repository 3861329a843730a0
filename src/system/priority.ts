import { readdirSync, readlinkSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** So much nicer than before: well below etcd, well above what waits for an idle machine. */
const BEHIND = 10

/**
 * Puts every thread of this process but the main one behind others' work; those that they start inherit it (Linux has a
 * nice value for each thread, sched(7)). The main one keeps the leases alive. Never throws: it is a courtesy.
 */
export function yieldCpu(): void {
  try {
    const main = readlinkSync('/proc/self')
    const nice = Math.min(19, getPriority() + BEHIND)
    for (const thread of readdirSync('/proc/self/task'))
      if (thread !== main) setPriority(Number(thread), nice)
  } catch {} // a thread has ended meanwhile; nobody needs a permission to be nicer
}
