import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const main = join(import.meta.dirname, '../../src/main.js')

/** A program as its first line starts it, on a Node of ours. */
export const startOf = (node: string, program: string): readonly [string, ...string[]] => {
  const [, flags] = /^#!.*\bnode (--\S+)\n/.exec(readFileSync(program, 'utf8')) ?? []
  if (flags === undefined) throw new Error(`${program} does not begin with a Node and its flag`)
  return [node, flags, program]
}

/** The built command. */
export const built = startOf(process.execPath, main)

export type Ended = Readonly<{
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}>
export type Running = Readonly<{
  pid: number
  kill(signal: NodeJS.Signals): void
  /** Waits until standard error holds it. */
  said(pattern: RegExp): Promise<void>
  stderr(): string
  ended: Promise<Ended>
}>
export type CommandOptions = Readonly<{
  env?: Readonly<Record<string, string>>
  /** A program and its arguments to start the command with. */
  through?: readonly string[]
  /** What to start instead of the built command. */
  command?: readonly string[]
}>

/** Starts the built command as a user would. */
export function start(
  args: readonly string[],
  { env = {}, through = [], command = built }: CommandOptions = {},
): Running {
  const [program = process.execPath, ...rest] = [...through, ...command, ...args]
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(ETCD|JOURNAL_STREAM|NODE_TEST|NO_COLOR)/.test(name)),
  )
  // Tests run one after the other at clusters that have just started; those of the defaults set them back.
  const hurried = { ETCD_DEFRAG_MIN_INTERVAL: '0s', ETCD_DEFRAG_MIN_UPTIME: '0s' }
  const child = spawn(program, rest, {
    env: { ...clean, ...hurried, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }) as Ended)
  const said = async (pattern: RegExp) => {
    while (!pattern.test(stderr)) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`ended without saying ${pattern}:\n${stderr}`)
      await Promise.race([once(child.stderr, 'data'), ended])
    }
  }
  return { pid: child.pid ?? 0, kill: signal => void child.kill(signal), said, stderr: () => stderr, ended }
}

/** Runs the built command to its end. */
export const etcdDefrag = (args: readonly string[], options?: CommandOptions): Promise<Ended> =>
  start(args, options).ended

/** The JSON document that a command with --output json printed. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests look at
export const documentOf = (ended: Ended): any => {
  try {
    return JSON.parse(ended.stdout)
  } catch (error) {
    throw new Error(`no JSON document (exit code ${ended.code}):\n${ended.stdout}\n${ended.stderr}`, {
      cause: error,
    })
  }
}
