import { describe, type Fault } from '../model/fault.js'
import type { Console } from './command.js'

/** Says on standard error why a command could not do its work, with the journal's priority of an error. */
export function complain(out: Console, fault: Fault, notes: readonly string[] = []): void {
  const lines = [describe(fault), ...notes.map(note => `note: ${note}`)]
  const text = lines.map(line => `etcd-defrag: ${line}`).join('\n')
  const plain = text.replaceAll(/[^\P{C}\n]/gu, '?') // files and programs are quoted in it
  out.stderr.write(`${out.journal ? plain.replaceAll(/^/gm, '<3>') : plain}\n`)
}
