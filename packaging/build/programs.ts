import { execFile } from 'node:child_process'

export type CallOptions = Readonly<{ cwd?: string; env?: Readonly<Record<string, string>> }>

/** Nothing of the caller's language, time zone or mask gets into what a program writes. */
const PLAIN = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' }

/** Runs a program of this machine to its end and gives what it printed. Throws with all that it said. */
export const call = (program: string, args: readonly string[], options: CallOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const env = { ...PLAIN, ...options.env }
    execFile(program, args, { cwd: options.cwd, env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else
        reject(
          new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}${error.message}`, { cause: error }),
        )
    })
  })
