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
const [runs, seed, first, jobs] = [values.runs, values.seed, values.first, values.jobs].map(Number) as [
  number,
  number,
  number,
  number,
]

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal))
// A reader that leaves (`| head`) ends it as a signal would.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort('a closed output'))

const from = performance.now()
const rounds = await wage({
  draws: drawsOf(seed, first, runs),
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
