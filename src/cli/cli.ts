import { resolve } from '../config/resolve.js'
import type { Environment } from '../config/sources.js'
import { describe, faultOf } from '../model/fault.js'
import { exitCodeOf, type Verdict } from '../model/verdict.js'
import type { Console } from './command.js'
import { rowOf } from './commands.js'
import { parse } from './parse.js'

/** One invocation from its arguments to its exit code. Never throws: what goes wrong is said on stderr. */
export async function cli(
  argv: readonly string[],
  environment: Environment,
  version: string,
  out: Console,
  stop: AbortSignal,
): Promise<number> {
  let notes: readonly string[] = []
  let document: ((verdict: Verdict) => object) | undefined
  try {
    const request = await parse(argv, version, out.stdout.columns || 110)
    if (request.kind === 'print') {
      out.stdout.write(`${request.text}\n`)
      return 0
    }
    // Now, since an upgrade may take the files of this program away before it fails.
    if ((request.flags.output?.text ?? environment['ETCD_DEFRAG_OUTPUT']) === 'json')
      document = (await import('../report/json.js')).failureJson
    const config = await resolve(request.flags, environment)
    notes = config.notes
    const command = await rowOf(request.command).load()
    return await command({ config, out, stop, own: request.own, file: request.file, version })
  } catch (error) {
    const fault = stop.aborted ? ({ kind: 'interrupted', by: String(stop.reason) } as const) : faultOf(error)
    const verdict: Verdict = { kind: 'failed', fault }
    const text = [`etcd-defrag: ${describe(fault)}`, ...notes.map(note => `etcd-defrag: note: ${note}`)].join(
      '\n',
    )
    const plain = text.replaceAll(/[^\P{C}\n]/gu, '?') // files and programs are quoted in it
    out.stderr.write(`${out.journal ? plain.replaceAll(/^/gm, '<3>') : plain}\n`)
    if (document !== undefined) out.stdout.write(`${JSON.stringify(document(verdict), null, 2)}\n`)
    return exitCodeOf(verdict)
  }
}
