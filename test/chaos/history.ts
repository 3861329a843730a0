/** A write that etcd acknowledged, or that its writer read back later. Times are of one monotonic clock. */
export type Acknowledged = Readonly<{
  client: string
  key: string
  value: string
  revision: bigint
  sentAt: number // ms
  knownAt: number // ms
}>

/** A put as a watch of the whole history shows it. */
export type Seen = Readonly<{ key: string; value: string; revision: bigint; version: bigint }>

export type History = Readonly<{
  acknowledged: readonly Acknowledged[]
  /** Every value that was ever sent, by key, in the order they were sent. */
  sent: ReadonlyMap<string, readonly string[]>
  seen: readonly Seen[]
}>

/**
 * What is wrong with the history, in sentences; empty when all is well. Each key has one writer, which sends each value
 * once and none before it knows what became of those before or has bound it to the same state as them.
 */
export const judgeHistory = (history: History): readonly string[] => [
  ...lost(history),
  ...foreign(history),
  ...outOfOrder(history),
  ...againstTime(history),
]

/** Every acknowledged write is there, at the revision that was acknowledged. */
function lost({ acknowledged, seen }: History): readonly string[] {
  const at = new Map(seen.map(put => [`${put.key}=${put.value}`, put.revision]))
  return acknowledged.flatMap(({ key, value, revision }) => {
    const found = at.get(`${key}=${value}`)
    if (found === undefined)
      return [`lost: ${key}=${value}, acknowledged at revision ${revision}, is not there`]
    return found === revision
      ? []
      : [`moved: ${key}=${value} was acknowledged at revision ${revision} and is at ${found}`]
  })
}

/** Nothing is there that was never sent, nothing twice. */
function foreign({ sent, seen }: History): readonly string[] {
  const values = new Map([...sent].map(([key, all]) => [key, new Set(all)]))
  const found = new Set<string>()
  return seen.flatMap(({ key, value, revision }) => {
    const put = `${key}=${value}`
    const isAgain = found.has(put)
    found.add(put)
    if (isAgain) return [`twice: ${put} is there again at revision ${revision}`]
    return values.get(key)?.has(value) === true
      ? []
      : [`foreign: ${put} at revision ${revision} was never sent`]
  })
}

/** Revisions go up, versions of a key by one, and values of a key in the order in which they were sent. */
function outOfOrder({ sent, seen }: History): readonly string[] {
  const problems: string[] = []
  const places = new Map(
    [...sent].map(([key, all]) => [key, new Map(all.map((value, place) => [value, place]))]),
  )
  const last = new Map<string, Seen & { place: number }>()
  let revision = 0n
  for (const put of seen) {
    const before = last.get(put.key)
    const place = places.get(put.key)?.get(put.value) ?? -1
    if (put.revision <= revision) problems.push(`reordered: revision ${put.revision} comes after ${revision}`)
    if (put.version !== (before?.version ?? 0n) + 1n)
      problems.push(`gap: ${put.key} goes from version ${before?.version ?? 0n} to ${put.version}`)
    if (before !== undefined && place <= before.place)
      problems.push(`reordered: ${put.key}=${put.value} comes after ${before.value}, and was sent before it`)
    revision = put.revision
    last.set(put.key, { ...put, place })
  }
  return problems
}

/** A write that was sent after another was acknowledged has the higher revision, whoever sent the two. */
function againstTime({ acknowledged }: History): readonly string[] {
  const ends = acknowledged.toSorted((a, b) => a.knownAt - b.knownAt)
  let next = 0
  let newest: Acknowledged | undefined
  return acknowledged
    .toSorted((a, b) => a.sentAt - b.sentAt)
    .flatMap(write => {
      for (let end = ends[next]; end !== undefined && end.knownAt < write.sentAt; end = ends[++next])
        if (newest === undefined || end.revision > newest.revision) newest = end
      if (newest === undefined || newest.revision < write.revision) return []
      return [
        `reordered: ${write.key}=${write.value} has revision ${write.revision}, and ${newest.key}=${newest.value}, acknowledged before it was sent, has ${newest.revision}`,
      ]
    })
}

/** The longest time without an acknowledgement between the two instants, in ms. */
export function longestGap(acknowledged: readonly Acknowledged[], from: number, to: number): number {
  const times = acknowledged.map(write => write.knownAt).filter(at => at > from && at < to)
  let gap = 0
  let last = from
  for (const at of [...times.toSorted((a, b) => a - b), to]) {
    gap = Math.max(gap, at - last)
    last = at
  }
  return gap
}
