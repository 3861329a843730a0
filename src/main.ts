#!/usr/bin/env -S node --no-concurrent-recompilation
import { fstatSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'

/** The only file that touches `process`: arguments, signals, streams, exit code. */

// At the end Node waits for V8's threads, and one that compiles may wait for a garbage collection that no longer comes, for
// ever (nodejs/node #54918): none does. The first line has the flag that V8 does not take later.
setFlagsFromString('--no-concurrent-sparkplug')

process.title = 'etcd-defrag' // a password on the command line is not for everybody who can run ps

// grpc-js names the host in TLS even where it is an IP address; Node warns of that on every connection.
if (process.noDeprecation !== true) process.noDeprecation = true // read-only where --no-deprecation said it before

const stop = new AbortController()
let taken: ((signal: string) => void) | undefined
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (taken !== undefined) return taken(signal)
    if (stop.signal.aborted)
      process.stderr.write(
        `etcd-defrag: ${signal} again: the step under way is still being ended, as ${stop.signal.reason} asked; only SIGKILL is faster, and the next run cleans up after it\n`,
      )
    stop.abort(signal)
  })
// A reader that leaves (`| head`) or a terminal that closes must not end a run in mid-step.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.on('uncaughtException', error => {
  process.stderr.write(`etcd-defrag: a bug, please report it: ${error.stack ?? error}\n`)
  process.exit(70)
})

const { env } = process
const { TZ: ownTimeZone } = env
const { cli } = await import('./cli/cli.js') // after the handlers, so that an early signal is heard too
const code = await cli({
  argv: process.argv.slice(2),
  environment: env,
  version: version(),
  out: {
    stdout: process.stdout,
    stderr: process.stderr,
    colors: (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    live: env['TERM'] !== 'dumb',
    journal: isJournal(env['JOURNAL_STREAM']),
  },
  signals: {
    stop: stop.signal,
    take: heard => {
      taken = heard
    },
  },
  self: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  setTimeZone,
  monotonicUs: () => process.hrtime.bigint() / 1000n,
})
await new Promise(resolve => process.stdout.write('', resolve)) // a slow pipe gets all of the report
process.exit(code) // and not just an exit code: an encoder that was broken off keeps its threads

function setTimeZone(name = ownTimeZone): void {
  if (name === undefined) delete env['TZ']
  else env['TZ'] = name
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String((manifest as { version: unknown }).version)
}

/** systemd.exec(5): JOURNAL_STREAM is `device:inode` of the journal's socket; children inherit it, so compare. */
function isJournal(variable: string | undefined): boolean {
  if (variable === undefined) return false
  const { dev, ino } = fstatSync(2)
  return variable === `${dev}:${ino}`
}
