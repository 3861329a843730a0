import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Failure } from '../model/fault.js'
import { exec, PATH } from '../system/exec.js'

/** Never the caller's: etcd reads ETCD_*, etcdctl ETCDCTL_*, and a NOTIFY_SOCKET would tell systemd of a child's start. */
export const ENVIRONMENT = { PATH, LC_ALL: 'C', ETCDCTL_API: '3' }

/**
 * What to start a program with, so that the kernel ends it with us however we end (setpriv(1), `--pdeathsig`), and
 * `gentle` with what disks and processors have left. Each is left out where this machine does not have it.
 */
export async function wrapper({ gentle }: { gentle: boolean }): Promise<readonly string[]> {
  const all = [
    BOUND,
    ...(gentle
      ? [
          ['ionice', '-c', '3'],
          ['nice', '-n', '19'],
        ]
      : []),
  ]
  const works = await Promise.all(all.map(isHere))
  return all.filter((_, i) => works[i]).flat()
}

const BOUND = ['setpriv', '--pdeathsig', 'KILL', '--'] as const

const isHere = ([program = '', ...args]: readonly string[]): Promise<boolean> =>
  exec(program, [...args, 'true'], AbortSignal.timeout(10_000)).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  )

/** Throws a `refused` fault where an etcd that we start could outlive us, with every Secret in it. */
export async function refuseUnbound(): Promise<void> {
  if (await isHere(BOUND)) return
  const problem =
    "setpriv does not work here, without which the drill's etcd could outlive a drill that is killed; install util-linux (2.33 or later)"
  throw new Failure({ kind: 'refused', check: 'program', problem })
}

export type Finished = Readonly<{ exitCode: number | null; stdout: string; stderr: string }>

/** Runs a program to its end; an abort kills it, and this rejects only when it is gone. Output is kept up to its last 64 KiB. */
export async function runToEnd(
  command: readonly string[],
  { signal, cwd }: Readonly<{ signal: AbortSignal; cwd?: string }>,
): Promise<Finished> {
  signal.throwIfAborted()
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] = (output[stream] + text).slice(-65_536)
    })
  const kill = () => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null]
    signal.throwIfAborted()
    return { exitCode, ...output }
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

/** The last complaint in a log of etcd or its tools: message and error of it, and never a request, which names keys. */
export function complaintOf(log: string): string {
  const lines = log.split('\n').filter(line => line.trim() !== '')
  const plain = lines.findLast(line => /^(Error: |panic: |fatal error: |runtime: )/.test(line))
  if (plain !== undefined) return plain.slice(0, 400)
  const events = lines.flatMap((line): { level?: unknown; msg?: unknown; error?: unknown }[] => {
    try {
      return [JSON.parse(line)]
    } catch {
      return [] // no event: usage, or a stack
    }
  })
  const worst =
    events.findLast(({ level }) => /^(error|fatal|panic|dpanic)$/.test(String(level))) ?? events.at(-1)
  if (worst === undefined) return (lines.at(0) ?? 'it said nothing').slice(0, 400)
  const { msg = '', error } = worst
  return `${msg}${error === undefined ? '' : `: ${error}`}`.slice(0, 400)
}
