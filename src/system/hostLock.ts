import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { HostLock } from '../model/world.js'
import { PATH } from './exec.js'

/**
 * Where a lock is gone after a reboot, as its holder is (hier(7)); a folder of our own in it, since all else of /run may
 * be read-only to a unit (systemd.exec(5), RuntimeDirectory=).
 */
export const LOCK_FOLDER = '/run/etcd-defrag'

/** flock(1): our choice for `--conflict-exit-code`. */
const CONFLICT = 75

/**
 * Takes an exclusive lock on `file` for as long as this process lives: flock(1) holds it and ends when the pipe from us
 * closes, so neither SIGKILL nor a crash leaves it behind. Waits `waitMs` for another holder. Rejects only when
 * `signal` is aborted meanwhile.
 */
export async function hostLock(file: string, waitMs: number, signal: AbortSignal): Promise<HostLock> {
  for (;;) {
    const lock = await tryLock(file, waitMs, signal)
    if (lock !== 'outdated') return lock
  }
}

/** `outdated`: it is a lock on a file that its last holder has removed meanwhile. */
async function tryLock(file: string, waitMs: number, signal: AbortSignal): Promise<HostLock | 'outdated'> {
  signal.throwIfAborted() // an aborted signal tells nobody a second time
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch(() => {}) // flock says what it cannot open
  const patience = waitMs > 0 ? ['--timeout', String(waitMs / 1000)] : ['--nonblock']
  const flock = [
    'flock',
    ...patience,
    '--conflict-exit-code',
    String(CONFLICT),
    file,
    'sh',
    '-c',
    'echo held; exec cat',
  ]
  // systemd ends the whole control group of a unit, and the run still finishes its step under the lock.
  const deaf = ['-c', 'trap "" TERM INT HUP; exec "$@"', 'sh']
  // In a group of its own: Ctrl-C in a terminal is for us, and must not let go of the lock under a step.
  const child = spawn('sh', [...deaf, ...flock], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH },
    detached: true,
  })
  child.stdin.on('error', () => {}) // it ended by itself; its exit code says why
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const ended = once(child, 'close').then(
    ([code]) => code as number | null,
    error => {
      said = String(error)
      return null
    },
  )
  const isHeld = once(child.stdout, 'data').then(() => true)
  isHeld.catch(() => {}) // it may end before it says anything
  const stop = () => child.stdin.end() && child.kill('SIGKILL')
  signal.addEventListener('abort', stop)
  const code = await Promise.race([isHeld, ended])
  signal.removeEventListener('abort', stop)
  if (code === true) {
    const letGo = async () => {
      child.stdin.end()
      await ended
    }
    // flock opens the file as its first descriptor after the standard ones.
    if ((await inodeOf(`/proc/${child.pid}/fd/3`)) !== (await inodeOf(file))) {
      await letGo()
      return 'outdated'
    }
    await writeFile(file, `${await readlink('/proc/self')}\n`).catch(() => {}) // for people; it is held without it
    const lost = new AbortController()
    let isReleased = false
    void ended.then(() => {
      if (!isReleased) lost.abort('the loss of the lock on this host (its flock has ended)')
    })
    const release = async () => {
      isReleased = true
      await rm(file, { force: true })
      await letGo()
    }
    return { kind: 'held', lost: lost.signal, release }
  }
  signal.throwIfAborted()
  if (code !== CONFLICT) return { kind: 'none', problem: said.trim() || `flock ended with ${code}` }
  return { kind: 'busy', by: (await readFile(file, 'utf8').catch(() => '')).trim() || 'unknown' }
}

const inodeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    found => found.ino,
    () => undefined,
  )
