import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** So much nicer than before: well below etcd, well above what waits for an idle machine. */
const BEHIND = 10

/**
 * Puts every thread of this process but the main one behind others' work; those that they start inherit it (Linux has a
 * nice value for each thread, sched(7)). A nice value counts among the threads of one session or control group only:
 * where the session is ours, it gets the same as a whole (sched(7), autogroup), the main thread with it, which is seldom
 * at work then; and the units have CPUWeight=. Never throws: it is a courtesy.
 */
export function yieldCpu(): void {
  const main = attempt(() => readlinkSync('/proc/self'))
  const nice = Math.min(19, (attempt(() => getPriority()) ?? 0) + BEHIND)
  for (const thread of attempt(() => readdirSync('/proc/self/task')) ?? [])
    if (thread !== main) attempt(() => setPriority(Number(thread), nice))
  attempt(() => {
    const [, now = ''] = / nice (-?\d+)\n$/.exec(readFileSync('/proc/self/autogroup', 'utf8')) ?? []
    if (session() === main && Number(now) < nice) writeFileSync('/proc/self/autogroup', String(nice))
  })
}

/** A thread may have ended meanwhile, and a kernel may have no autogroups. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** proc_pid_stat(5), field 6; the second, a name, may hold blanks. */
function session(): string | undefined {
  const text = readFileSync('/proc/self/stat', 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[3]
}
