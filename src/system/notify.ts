import { execFile } from 'node:child_process'
import { PATH } from './exec.js'

/** What is told to the service manager, name to value (sd_notify(3)). */
export type Notify = (state: Readonly<Record<string, string>>) => Promise<void>

/** Longest wait for it: systemd-notify(1) waits until the manager has read it. */
const PATIENCE_MS = 10_000

/**
 * Tells the service manager behind `socket` through systemd-notify(1), since Node has no datagram sockets of AF_UNIX,
 * one after the other; tells nobody without a socket. Never rejects: `fails` hears of what could not be told.
 */
export function notifier(socket: string | undefined, fails: (problem: string) => void): Notify {
  let previous: Promise<void> = Promise.resolve()
  if (socket === undefined || socket === '') return async () => {}
  const tell = (words: readonly string[]) =>
    new Promise<void>(resolve => {
      const env = { PATH, LC_ALL: 'C', NOTIFY_SOCKET: socket }
      execFile('systemd-notify', words, { env, timeout: PATIENCE_MS }, (error, _stdout, stderr) => {
        if (error !== null) fails(stderr.trim() || error.message)
        resolve()
      })
    })
  return state => {
    const words = Object.entries(state).map(([name, value]) => `${name}=${value}`)
    previous = previous.then(() => tell(words))
    return previous
  }
}
