import type { MemberRecord, Provenance } from '../model/backup.js'
import { Failure } from '../model/fault.js'

export type NamedUrl = Readonly<{ name: string; url: string }>

/** What the flags say of the member; the rest comes from the provenance. */
export type Wishes = Readonly<{
  name: string | undefined
  initialCluster: readonly NamedUrl[] | undefined
  peerUrls: readonly string[] | undefined
  token: string | undefined
}>

/** Who the restored member is, and in what cluster. */
export type Identity = Readonly<{
  name: string
  peerUrls: readonly string[]
  cluster: readonly NamedUrl[]
  notes: readonly string[]
}>

const config = (option: string, problem: string) => new Failure({ kind: 'config', option, problem })

/** The members that a restored cluster begins with: those of the flag, or those that voted when the backup was made. */
export function clusterOf(
  wishes: Wishes,
  provenance: Provenance | undefined,
): Readonly<{ cluster: readonly NamedUrl[]; notes: readonly string[] }> {
  if (wishes.initialCluster !== undefined) return { cluster: wishes.initialCluster, notes: [] }
  if (provenance === undefined)
    throw config(
      '--initial-cluster',
      'is needed, with --name: no provenance (FILE.json) lies beside the archive that says which members there were; for a single member that is --name m1 --initial-cluster m1=https://HOST:2380',
    )
  const { members } = provenance.cluster
  const voters = members.filter(m => !m.learner && m.name !== '')
  const notes = members
    .filter(m => m.learner || m.name === '')
    .map(m =>
      m.learner
        ? `${m.name || m.id} was a learner and is left out; add it again once the cluster is up`
        : `member ${m.id} had never been started and is left out`,
    )
  const [twice] = voters.filter((m, i) => voters.findIndex(other => other.name === m.name) !== i)
  if (twice !== undefined)
    throw config(
      '--initial-cluster',
      `is needed: two members were both named ${twice.name} (${voters.map(m => m.id).join(', ')})`,
    )
  const [odd] = voters.filter(isOdd)
  if (odd !== undefined)
    throw config(
      '--initial-cluster',
      `is needed: the name ${JSON.stringify(odd.name)} or its peer URLs cannot stand in it`,
    )
  if (voters.length === 0)
    throw config('--initial-cluster', 'is needed: the provenance names no voting member')
  return { cluster: voters.flatMap(m => m.peerUrls.map(url => ({ name: m.name, url }))), notes }
}

/** Neither --initial-cluster nor a line of etcd's manifest could carry it. */
export const isOdd = ({ name, peerUrls }: MemberRecord): boolean =>
  /[,=\s#'"]/.test(name) || peerUrls.length === 0

export const namesOf = (cluster: readonly NamedUrl[]): readonly string[] => [
  ...new Set(cluster.map(({ name }) => name)),
]

/** Throws a `config` fault that names the flag which is missing; `host` is this node's name. */
export function identityOf(wishes: Wishes, provenance: Provenance | undefined, host: string): Identity {
  const { cluster, notes } = clusterOf(wishes, provenance)
  const names = namesOf(cluster)
  const name = wishes.name ?? defaultName(names, provenance, host)
  if (!names.includes(name))
    throw config(
      '--name',
      `is ${JSON.stringify(name)}, and the cluster is to consist of ${names.join(', ')}; take one of them, or name another --initial-cluster`,
    )
  const own = cluster.filter(member => member.name === name).map(({ url }) => url)
  return { name, peerUrls: wishes.peerUrls ?? own, cluster, notes }
}

function defaultName(names: readonly string[], provenance: Provenance | undefined, host: string): string {
  const [only, second] = names
  if (only !== undefined && second === undefined) return only
  if (provenance?.host === host && names.includes(provenance.member.name)) return provenance.member.name
  const why =
    provenance === undefined
      ? 'the cluster is to have several members'
      : `the archive was made on ${provenance.host}, and this is ${host}`
  throw config('--name', `is needed to say which member this node is (${why}): ${names.join(', ')}`)
}

/**
 * The same on all nodes that restore the same archive, and another one than that of the cluster it was taken of: a
 * member of that which comes back meets strangers. Cluster and member ids are made from it (etcd: membership.NewMember).
 */
export const tokenOf = (wishes: Wishes, contentSha256: string): string =>
  wishes.token ?? `restored-${contentSha256.slice(0, 12)}`

export function refuseOddToken({ token }: Wishes): void {
  if (token !== undefined && !/^[\w.-]{1,64}$/.test(token))
    throw config(
      '--initial-cluster-token',
      `is ${JSON.stringify(token)}; expected letters, digits, dots and dashes`,
    )
}

export const initialClusterText = (cluster: readonly NamedUrl[]): string =>
  cluster.map(({ name, url }) => `${name}=${url}`).join(',')

/** The arguments of `etcdutl snapshot restore` behind the file. */
export function restoreArguments(
  identity: Identity,
  more: Readonly<{ token: string; dataDir: string; bump: number; skipHash: boolean }>,
): readonly string[] {
  return [
    `--data-dir=${more.dataDir}`,
    `--name=${identity.name}`,
    `--initial-cluster=${initialClusterText(identity.cluster)}`,
    `--initial-cluster-token=${more.token}`,
    `--initial-advertise-peer-urls=${identity.peerUrls.join(',')}`,
    ...(more.bump > 0 ? [`--bump-revision=${more.bump}`, '--mark-compacted'] : []),
    ...(more.skipHash ? ['--skip-hash-check'] : []),
  ]
}
