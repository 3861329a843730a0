import type { Checksum, Inventory, Live, Provenance, Verified } from '../model/backup.js'
import { timeOf } from '../model/coordination.js'
import { bar, bytes, type Column, percent, sentence, shown, span, table } from './format.js'
import type { Colors } from './text.js'

type Fact = readonly [name: string, text: string]

/** What `backup verify` prints of a file that is whole. */
export function verifiedText(verified: Verified, provenance: Provenance | undefined, tookMs: number): string {
  const { contents, hasTrailer } = verified
  const checked = [
    ...(verified.kind === 'xz' ? ['the xz container'] : []),
    ...(hasTrailer ? ["etcd's SHA-256"] : []),
    `the ${contents.livePages} pages in use of ${contents.pages}`,
  ]
  return facts([
    ['whole', verified.path],
    ['checked', listed(checked)],
    ...fileFacts(verified),
    ['keys', keysOf(verified)],
    ['taken', originOf(provenance)],
    ['took', span(tookMs)],
    ...notes(verified),
  ])
}

/** What `backup show` prints, in lines of `width` at most as far as names allow. */
export function shownText(
  found: Verified & { inventory: Inventory },
  provenance: Provenance | undefined,
  color: Colors,
  width: number,
): string {
  const { inventory, contents } = found
  const { live } = inventory
  return [
    facts([
      ['backup', found.path],
      ['taken', originOf(provenance)],
      ['hash', inventory.hash.toString(16).padStart(8, '0')],
      ['revision', revisionOf(found)],
      ['total keys', `${contents.totalKeys} in all buckets, as etcdutl counts them`],
      ['total size', `${bytes(inventory.totalSize)} (${inventory.totalSize} bytes)`],
      ...fileFacts(found),
      ['in use', `${contents.livePages} pages of ${contents.pages}, ${bytes(contents.pageSize)} each`],
      [
        'kept',
        `${inventory.revisions} versions of keys${live === undefined ? '' : `; ${live.objects} keys are live`}`,
      ],
      ['etcd', etcdOf(inventory)],
      ...inventory.members.map(
        (m, i): Fact => [i === 0 ? 'members' : '', `${m.id} ${m.name} ${m.peerUrls.join(',')}`],
      ),
      ...notes(found),
    ]),
    '',
    ...(live === undefined
      ? ['more than a million keys: they are not counted by prefix']
      : [...prefixTable(live, color, width), ...largestTable(live, color, width)]),
  ].join('\n')
}

const fileFacts = (verified: Verified): readonly Fact[] => [
  ...(verified.kind === 'xz' ? [['archive', sumOf(verified.archive)] as const] : []),
  ['database', sumOf(verified.content)],
]

/** What the provenance beside it says, which belongs to it. */
function originOf(provenance: Provenance | undefined): string {
  if (provenance === undefined) return 'unknown: there is no provenance beside it'
  const { takenAt, host, tool, member, cluster } = provenance
  return shown(
    `${timeOf(Date.parse(takenAt))} on ${host} by ${tool}, of member ${member.name} (etcd ${member.etcdVersion}) in cluster ${cluster.id}`,
    300,
  )
}

const sumOf = ({ bytes: count, sha256 }: Checksum): string => `${bytes(count)}, SHA-256 ${sha256}`

const keysOf = (verified: Verified): string =>
  `${verified.contents.totalKeys} in ${verified.contents.buckets.length} buckets, revision ${verified.contents.revision}`

const notes = ({ hasTrailer }: Verified): readonly Fact[] =>
  hasTrailer
    ? []
    : [
        [
          'note',
          "without etcd's SHA-256, as a copy of a member's own file is: its values could not be checked (a snapshot would have lost its end)",
        ],
      ]

const revisionOf = ({ contents, inventory }: Verified & { inventory: Inventory }): string =>
  inventory.compactedRevision === undefined
    ? `${contents.revision}`
    : `${contents.revision}, history compacted up to ${inventory.compactedRevision}`

function etcdOf({ clusterVersion, storageVersion, authEnabled, alarms, leases }: Inventory): string {
  return listed([
    clusterVersion === undefined ? 'of unknown version' : `cluster version ${clusterVersion}`,
    ...(storageVersion === undefined ? [] : [`storage version ${storageVersion}`]),
    `authentication ${authEnabled ? 'on' : 'off'}`,
    ...(alarms === 0 ? [] : [`${alarms} alarms`]),
    `${leases} ${leases === 1 ? 'lease' : 'leases'}`,
  ])
}

/** More are of no use to anybody who reads. */
const MOST_ROWS = 25
const BAR = 16

const prefixColumns: readonly Column[] = [
  { title: 'PREFIX' },
  { title: 'OBJECTS', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: '' },
]

function prefixTable({ prefixes, bytes: total }: Live, color: Colors, width: number): string[] {
  if (prefixes.length === 0) return ['no live keys']
  const name = nameWidth(width, 2 + 9 + 2 + 8 + 2 + BAR + 5)
  const rows = prefixes
    .slice(0, MOST_ROWS)
    .map(({ prefix, objects, bytes: part }) => [
      shown(prefix === '' ? '(none)' : prefix, name),
      String(objects),
      bytes(part),
      `${bar(part / total, BAR)} ${percent(part, total)} %`,
    ])
  const rest = prefixes.slice(MOST_ROWS)
  const more = rest.reduce((sum, { objects }) => sum + objects, 0)
  return [
    ...table(prefixColumns, rows, headed(color)),
    ...(rest.length === 0 ? [] : [color.dim(`and ${more} objects under ${rest.length} more prefixes`)]),
  ]
}

function largestTable({ largest }: Live, color: Colors, width: number): string[] {
  if (largest.length === 0) return []
  const rows = largest.map(({ key, bytes: size }) => [bytes(size), shown(key, nameWidth(width, 10))])
  return ['', ...table([{ title: 'BYTES', align: 'right' }, { title: 'LARGEST KEYS' }], rows, headed(color))]
}

const nameWidth = (width: number, others: number): number => Math.max(20, width - others)

const headed = (color: Colors) => (cell: string, row: number) => (row < 0 ? color.bold(cell) : cell)

const listed = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`

const facts = (rows: readonly Fact[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${sentence(text)}`).join('\n')
}
