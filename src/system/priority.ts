import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** So much nicer than before: well below etcd, well above what waits for an idle machine. */
const BEHIND = 10

/**
 * Puts every thread of this process but the main one behind others' work; those that they start inherit it (Linux has a
 * nice value for each thread, sched(7)). The main one keeps the leases alive. A nice value counts among the threads of
 * one session or control group only: where the session is ours, it gets the same value as a whole (sched(7), autogroup),
 * and the units have CPUWeight=. Never throws: it is a courtesy.
 */
export function yieldCpu(): void {
  try {
    const main = readlinkSync('/proc/self')
    const nice = Math.min(19, getPriority() + BEHIND)
    for (const thread of readdirSync('/proc/self/task'))
      if (thread !== main) setPriority(Number(thread), nice)
    if (session() === main) writeFileSync('/proc/self/autogroup', String(nice))
  } catch {} // a thread has ended meanwhile, or a kernel has no autogroups; nobody needs a permission to be nicer
}

/** proc_pid_stat(5), field 6; the second, a name, may hold blanks. */
function session(): string | undefined {
  const text = readFileSync('/proc/self/stat', 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[3]
}
