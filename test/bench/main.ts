import { built } from '../lab/command.js'
import { keep, take } from './bench.js'
import { parse } from './commandLine.js'
import { Packaged } from './packaged.js'
import { partOf } from './parts.js'
import { tableText } from './show.js'

/** `npm run bench`: see `usage`. A signal ends it once the trial under way is over, which leaves nothing behind. */
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => stop.abort(new Error(`ended by ${signal}`)))

/** Whoever measures says so after each trial, and goes no further after a signal. */
const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
  stop.signal.throwIfAborted()
}

try {
  const argv = process.argv.slice(2)
  const { names, out, packages, context } = parse(argv)
  await using packaged = await Packaged.of(packages)
  const program = packaged?.program ?? built
  const command = ['npm run bench', ...(argv.length === 0 ? [] : ['--', ...argv])].join(' ')
  for (const name of names) {
    const refused = partOf(name).refused?.()
    if (refused !== undefined) {
      say(`${name}: left out, ${refused}`)
      process.exitCode = 1
      continue
    }
    say(`${name}: begins`)
    const measuring = { ...context, program, packaged, say: (text: string) => say(`${name}: ${text}`) }
    const report = await take(name, measuring, command).catch(error => {
      if (stop.signal.aborted) throw error
      say(`${name}: ${error instanceof Error ? error.stack : error}`)
    })
    if (report === undefined) {
      process.exitCode = 1 // of the other parts something may come nevertheless
      continue
    }
    await keep(report, out)
    const { machine, notes, tables } = report
    const on = `${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, ${machine.program}, Node ${machine.node}, etcd ${machine.etcd}, load ${machine.load}`
    process.stdout.write(`\n# ${report.title} (${on})\n`)
    for (const table of tables) process.stdout.write(`\n${tableText(table)}\n`)
    for (const note of notes) process.stdout.write(`\n${note}\n`)
    say(`${name}: ${out}/${name}.json and ${report.plots.length} plots`)
  }
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
