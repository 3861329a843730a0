import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'

export type Measured = Readonly<{
  code: number | null
  stdout: string
  stderr: string
  /** Ms since the epoch, by the monotonic clock. */
  startedAt: number
  endedAt: number
  /** User and system time, of the children that it waited for too, ms. */
  cpuMs: number
  /** Of the process itself, bytes. */
  peakMemory: number
  /** What it had used of the cores so far, in the order of time; only its own. */
  course: readonly Readonly<{ at: number; cpuMs: number }>[]
}>

const EVERY_MS = 20
/** Of proc(5)'s times; Linux has it so on all machines that etcd knows. */
const MS_PER_TICK = 10

let origin = performance.timeOrigin
/** Ms since the epoch: what the clock said when it was last asked, and steadily on from there, however it is set. */
export const now = (): number => origin + performance.now()

/** Asks the clock, as members' logs and programs that are started from now on do. */
export function setNow(): void {
  origin = Date.now() - performance.now()
}

/** User and system time of a process, ms; undefined once it has ended. */
export async function cpuOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // Its second field, the name in parentheses, may hold blanks (proc(5)).
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
}

/** The most memory that a process has had at once, bytes; undefined once it has ended. */
async function peakOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^VmHWM:\s*(\d+) kB$/m.exec(text)?.[1]
  return kib === undefined ? undefined : Number(kib) * 1024
}

/**
 * Runs a program to its end and measures it: bash's `time` has its children's times to the ms. It is in a session of its
 * own, as systemd and cron start one: Linux shares processors by session first (sched(7), autogroup).
 */
export async function measured(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Measured> {
  // The times go to file descriptor 3, and its own output stays what it is.
  const script = `TIMEFORMAT='%U %S'; { time setsid "$@" 2>&4 3>&-; } 4>&2 2>&3`
  const startedAt = now()
  const child = spawn('bash', ['-c', script, 'bash', program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const said = ['', '', '']
  for (const [i, stream] of [child.stdout, child.stderr, child.stdio[3]].entries())
    stream?.on('data', chunk => {
      said[i] += String(chunk)
    })
  const closed = once(child, 'close')
  let endedAt = 0
  child.once('exit', () => {
    endedAt = now()
  })
  let peakMemory = 0
  const course: { at: number; cpuMs: number }[] = []
  const bash = child.pid ?? 0
  let pid: number | undefined
  while (endedAt === 0) {
    pid ??= await childOf(bash)
    const at = now()
    const [cpuMs, peak] = pid === undefined ? [] : await Promise.all([cpuOf(pid), peakOf(pid)])
    if (cpuMs !== undefined) course.push({ at, cpuMs })
    peakMemory = Math.max(peakMemory, peak ?? 0)
    await Promise.race([closed, new Promise(resolve => setTimeout(resolve, EVERY_MS))])
  }
  await closed
  const [stdout = '', stderr = '', times = ''] = said
  const [user = 0, system = 0] = times.trim().split(' ').map(Number)
  return {
    code: child.exitCode,
    stdout,
    stderr,
    startedAt,
    endedAt,
    cpuMs: (user + system) * 1000,
    peakMemory,
    course,
  }
}

async function childOf(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const [first] = children.trim().split(' ').filter(Boolean)
  return first === undefined ? undefined : Number(first)
}
