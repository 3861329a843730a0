import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawsOf, wage } from './campaign.js'
import { lineOf, summaryOf } from './print.js'

/** `npm run chaos -- --runs N --seed S [--first K] [--jobs J] [--evidence FOLDER]` */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    first: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '2' },
    evidence: { type: 'string', default: join(tmpdir(), 'etcd-defrag-chaos') },
  },
})
const numberOf = (name: 'runs' | 'seed' | 'first' | 'jobs'): number => {
  if (!/^\d+$/.test(values[name])) throw new Error(`--${name} ${values[name]}: a whole number is expected`)
  return Number(values[name])
}
const draws = drawsOf(numberOf('seed'), numberOf('first'), numberOf('runs'))
const jobs = numberOf('jobs')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal))
// A reader that leaves (`| head`) ends it as a signal would.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort('a closed output'))

const from = performance.now()
const rounds = await wage({
  draws,
  jobs,
  stop: stop.signal,
  evidence: values.evidence,
  tell: round => void process.stdout.write(`${lineOf(round)}\n`),
})
process.stdout.write(`\n${summaryOf(rounds, performance.now() - from)}\n`)
if (rounds.some(round => round.violations.length > 0)) {
  process.stdout.write(`logs are in ${values.evidence}\n`)
  process.exitCode = 1
}
if (stop.signal.aborted) process.exitCode = 130
process.exit() // a wait that was given up may still hold a timer
