import { execFile } from 'node:child_process'
import type { Exec } from '../model/world.js'

/** Where root's programs are; not the caller's PATH, since this runs as root. */
export const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a program without a shell and in the C locale. Rejects when it cannot be started or is aborted. */
export const exec: Exec = (command, args, signal) =>
  new Promise((resolve, reject) => {
    execFile(command, args, { signal, env: { PATH, LC_ALL: 'C' } }, (error, stdout, stderr) => {
      const code: unknown = error?.code
      if (error === null || typeof code === 'number') resolve({ exitCode: Number(code ?? 0), stdout, stderr })
      else
        reject(String(code) === 'ENOENT' ? new Error(`${command} is not installed`, { cause: error }) : error)
    })
  })
