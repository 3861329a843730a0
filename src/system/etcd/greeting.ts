import { Failure } from '../../model/fault.js'

/** What an endpoint says at first: of which cluster it is, and whether that is another one than the others'. */
export type Greeting = Readonly<{ problem?: string; cluster?: string; isForeign: boolean }>

export function refuseTwoClusters(endpoints: readonly string[], greetings: readonly Greeting[]): void {
  if (!greetings.some(({ isForeign }) => isForeign)) return
  const clusters = greetings.map(({ cluster, problem }, i) => `${endpoints[i]} is of ${cluster ?? problem}`)
  throw refused('oneCluster', `--endpoints names more than one cluster: ${clusters.join('; ')}`)
}

export const refused = (check: string, problem: string) => new Failure({ kind: 'refused', check, problem })
