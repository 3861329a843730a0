/** What one member's log says, or what the test did to a member: the raw material of a judgement. */
export type Incident = Readonly<
  { at: number; member: string } & (
    | {
        what:
          | 'defragmentStarts'
          | 'defragmentEnds'
          | 'defragmentFails'
          | 'follows'
          | 'processStarts'
          | 'serves'
          /** From the cluster; `member` is its id until somebody knows the name. */
          | 'isRemoved'
      }
    | { what: 'leads'; term: number }
    /** The copy begins, of a file of that size in bytes (etcd: backend/backend.go, `defrag`). */
    | { what: 'copies'; dbSize: number }
    /** The size of its file at the end, by its metrics. */
    | { what: 'holds'; dbSize: number }
  )
>

/** Ms since the epoch in which a member could not do its part, by the test's own doing. */
export type Outage = Readonly<{
  member: string
  how: 'stopped' | 'killed' | 'cut off'
  from: number
  until: number
}>

/** From the call's arrival at the member to its end there; `cut`: the process ended in the middle of it. */
export type Defragmentation = Readonly<{
  member: string
  from: number
  until: number
  end: 'finished' | 'failed' | 'cut' | 'open'
}>

/** 3.4 and 3.5 say these in the same words (etcd: v3rpc/maintenance.go, raft/raft.go, embed/etcd.go, embed/serve.go). */
const sayings: readonly (readonly [
  RegExp,
  Exclude<Incident['what'], 'leads' | 'isRemoved' | 'copies' | 'holds'>,
])[] = [
  [/^starting defragment$/, 'defragmentStarts'],
  [/^finished defragment$/, 'defragmentEnds'],
  [/^failed to defragment$/, 'defragmentFails'],
  [/^[0-9a-f]+ became (?:pre-)?(?:follower|candidate) at term/, 'follows'],
  [/^starting an etcd server$/, 'processStarts'],
  [/^serving client traffic/, 'serves'],
]

export function incidentsOf(member: string, log: string): readonly Incident[] {
  return log.split('\n').flatMap((line): Incident[] => {
    const { ts, msg = '', 'removed-remote-peer-id': removed, 'current-db-size-bytes': size } = jsonLine(line)
    const at = Date.parse(String(ts))
    if (Number.isNaN(at)) return []
    // etcd: membership/cluster.go, `RemoveMember`; every member says it when it applies the change.
    if (msg === 'removed member') return [{ at, member: String(removed), what: 'isRemoved' }]
    if (msg === 'defragmenting') return [{ at, member, what: 'copies', dbSize: Number(size) }]
    const term = /^[0-9a-f]+ became leader at term (\d+)$/.exec(msg)?.[1]
    if (term !== undefined) return [{ at, member, what: 'leads', term: Number(term) }]
    const what = sayings.find(([pattern]) => pattern.test(msg))?.[1]
    return what === undefined ? [] : [{ at, member, what }]
  })
}

/** The member's own id, as its log has it; undefined while it has said nothing with it. */
export const idIn = (log: string): string | undefined => /"local-member-id":"([0-9a-f]+)"/.exec(log)?.[1]

export function jsonLine(line: string): { ts?: unknown; msg?: string } & Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return {} // etcd prints a few lines before its logger is set up
  }
}

const ends = {
  defragmentEnds: 'finished',
  defragmentFails: 'failed',
  processStarts: 'cut',
} as const

/**
 * Every defragmentation, oldest first. One that a kill cut short lasted until the kill; it had finished all the same where
 * the file is smaller when it is seen the next time, since nothing else makes it so: only the log was cut short.
 */
export function defragmentationsOf(
  incidents: readonly Incident[],
  outages: readonly Outage[],
): readonly Defragmentation[] {
  const all = incidents.flatMap((start, i): Defragmentation[] => {
    if (start.what !== 'defragmentStarts') return []
    const { member, at: from } = start
    const own = incidents.slice(i + 1).filter(later => later.member === member)
    const ending = own.find(later => later.what in ends)
    const kill = outages.find(o => o.member === member && o.how === 'killed' && o.from >= from)
    if (kill !== undefined && kill.from <= (ending?.at ?? Number.POSITIVE_INFINITY)) {
      const [copied, next] = own.flatMap(i => ('dbSize' in i ? [i] : []))
      const isSwapped =
        copied?.what === 'copies' &&
        next !== undefined &&
        copied.at <= kill.from &&
        next.dbSize < copied.dbSize
      return [{ member, from, until: kill.from, end: isSwapped ? 'finished' : 'cut' }]
    }
    if (ending === undefined) return [{ member, from, until: Number.POSITIVE_INFINITY, end: 'open' }]
    return [{ member, from, until: ending.at, end: ends[ending.what as keyof typeof ends] }]
  })
  return all.toSorted((a, b) => a.from - b.from)
}

/** Who led at a moment and since when: the highest term that anyone had won and not yet given up. */
export function leaderAt(
  incidents: readonly Incident[],
  outages: readonly Outage[],
  at: number,
): Readonly<{ member: string; since: number }> | undefined {
  const won = incidents.flatMap(i => (i.what === 'leads' && i.at <= at ? [i] : []))
  const last = won.toSorted((a, b) => a.term - b.term).at(-1)
  if (last === undefined) return undefined
  const { member, at: since } = last
  const isOver = (when: number) => when > since && when <= at
  const gaveUp = incidents.some(
    i => i.member === member && (i.what === 'follows' || i.what === 'processStarts') && isOver(i.at),
  )
  const died = outages.some(o => o.member === member && o.how === 'killed' && isOver(o.from))
  return gaveUp || died ? undefined : { member, since }
}

/**
 * A killed member is out until it serves again, which its log tells better than whoever started it; and one that has been
 * removed from the cluster is no member any more, so nobody waits for it.
 */
export const untilServing = (outage: Outage, incidents: readonly Incident[]): Outage => {
  const own = incidents.filter(i => i.member === outage.member)
  const back = own.find(i => i.what === 'serves' && i.at > outage.from)
  const until = outage.how === 'killed' ? (back?.at ?? Number.POSITIVE_INFINITY) : outage.until
  const removed = own.find(i => i.what === 'isRemoved')
  return { ...outage, until: Math.min(until, removed?.at ?? until) }
}
