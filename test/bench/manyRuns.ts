import { Writable } from 'node:stream'
import { cli } from '../../src/cli/cli.js'

/** `node --expose-gc manyRuns.js COUNT FLAG…`: run after run in this process; prints its memory after each, bytes. */
const [count = '', ...flags] = process.argv.slice(2)
const sizes: number[] = []
for (let n = 0; n < Number(count); n++) {
  let said = ''
  const out = () =>
    Object.assign(
      new Writable({
        write(chunk, _, done) {
          said += chunk
          done()
        },
      }),
      { isTTY: false, columns: 100 },
    ) as unknown as typeof process.stdout
  const code = await cli({
    argv: ['run', ...flags],
    environment: process.env,
    version: '0.0.0',
    out: { stdout: out(), stderr: out(), colors: false, live: false, journal: false },
    signals: { stop: new AbortController().signal, take: () => {} },
    self: [process.execPath],
    setTimeZone: () => {},
    monotonicUs: () => process.hrtime.bigint() / 1000n,
  })
  if (code !== 0) throw new Error(`run ${n + 1} ended with ${code}: ${said}`)
  globalThis.gc?.()
  sizes.push(process.memoryUsage.rss())
}
process.stdout.write(JSON.stringify(sizes), () => process.exit())
