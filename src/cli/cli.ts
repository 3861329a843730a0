import type { Invocation } from './command.js'

/**
 * One invocation from its arguments to its exit code. Never throws: what goes wrong is said on stderr. A daemon lives for
 * months, so it is told from the others before anything is loaded that reads arguments and configuration.
 */
export async function cli(invocation: Invocation): Promise<number> {
  const [command, ...words] = invocation.argv
  if (command === '--version' && words.length === 0) {
    invocation.out.stdout.write(`${invocation.version}\n`) // half of its time would go into reading arguments
    return 0
  }
  const isQuestion = words[0] === 'settings' || words.some(word => /^(-h|--help|--version)$/.test(word))
  if (command === 'daemon' && !isQuestion) return (await import('./daemon.js')).daemon(invocation, words)
  return (await import('./invoke.js')).invoke(invocation)
}
