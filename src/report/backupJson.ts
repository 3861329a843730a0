import type { Inventory, MemberRecord, Provenance, Verified } from '../model/backup.js'
import { failureJson } from './json.js'

/** What `backup verify --output json` prints. Sizes are bytes, spans milliseconds. */
export const verifiedJson = (verified: Verified, provenance: Provenance | undefined, tookMs: number) => ({
  ...failureJson({ kind: 'completed' }),
  ...verified,
  provenance: provenance ?? null,
  tookMs,
})

/** What `backup show --output json` prints: `hash`, `revision`, `totalKey` and `totalSize` are etcdutl's. */
export const shownJson = (
  { contents, inventory, ...file }: Verified & { inventory: Inventory },
  provenance: Provenance | undefined,
  tookMs: number,
) => ({
  ...failureJson({ kind: 'completed' }),
  hash: inventory.hash,
  revision: contents.revision,
  totalKey: contents.totalKeys,
  totalSize: inventory.totalSize,
  ...file,
  contents,
  revisions: inventory.revisions,
  compactedRevision: inventory.compactedRevision ?? null,
  live: inventory.live ?? null,
  members: inventory.members.map(memberJson),
  clusterVersion: inventory.clusterVersion ?? null,
  storageVersion: inventory.storageVersion ?? null,
  authEnabled: inventory.authEnabled,
  alarms: inventory.alarms,
  leases: inventory.leases,
  provenance: provenance ?? null,
  tookMs,
})

const memberJson = ({ id, name, peerUrls, clientUrls, learner }: MemberRecord) => ({
  ...{ id, name, peerUrls, clientUrls, learner },
})
