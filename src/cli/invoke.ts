import { resolve } from '../config/resolve.js'
import { faultOf } from '../model/fault.js'
import { exitCodeOf, type Verdict } from '../model/verdict.js'
import type { Invocation } from './command.js'
import { rowOf } from './commands.js'
import { complain } from './complaint.js'
import { parse } from './parse.js'

/** One invocation from its arguments to its exit code. Never throws: what goes wrong is said on stderr. */
export async function invoke(invocation: Invocation): Promise<number> {
  const { argv, environment, version, out } = invocation
  const { stop } = invocation.signals
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
    const { flags, own, file } = request
    return await command({ invocation, flags, config, out, stop, own, file, version })
  } catch (error) {
    const fault = stop.aborted ? ({ kind: 'interrupted', by: String(stop.reason) } as const) : faultOf(error)
    const verdict: Verdict = { kind: 'failed', fault }
    complain(out, fault, notes)
    if (document !== undefined) out.stdout.write(`${JSON.stringify(document(verdict), null, 2)}\n`)
    return exitCodeOf(verdict)
  }
}
