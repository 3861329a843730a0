import type { MemberId } from './member.js'

/**
 * What is kept beside an archive, as `ARCHIVE.json`: all that a restore needs and that its data does not tell without
 * decoding it. Written by this tool alone, and by that the sign that an archive is its own. Sizes are bytes.
 */
export type Provenance = Readonly<{
  format: 1
  /** `etcd-defrag 0.1.0` */
  tool: string
  /** When the snapshot began, RFC 3339. */
  takenAt: string
  /** The node it was written on. */
  host: string
  /** The cluster when the snapshot began. */
  cluster: Readonly<{ id: string; members: readonly MemberRecord[] }>
  /** The member whose view it is. */
  member: Readonly<{ id: MemberId; name: string; etcdVersion: string; storageVersion: string | null }>
  /** Where etcd begins again: at the last change in it, or where history was compacted if that is later. */
  revision: number
  /** Entries of all buckets, as etcdutl of 3.5 counts them. */
  totalKeys: number
  /** The database without etcd's trailer, which is its SHA-256. */
  content: Checksum
  archive: Checksum
}>

export type MemberRecord = Readonly<{
  id: MemberId
  name: string
  peerUrls: readonly string[]
  clientUrls: readonly string[]
  learner: boolean
}>

/** SHA-256 in hex. */
export type Checksum = Readonly<{ bytes: number; sha256: string }>

/** What walking a database has shown. */
export type Contents = Readonly<{
  pageSize: number
  /** Pages in the file, and those that hold something. */
  pages: number
  livePages: number
  /** In the order of their names; nested ones behind a slash. */
  buckets: readonly Readonly<{ name: string; entries: number }>[]
  /** Entries of all buckets. */
  totalKeys: number
  /** Of the last entry of the bucket `key`; 0 in an empty one. */
  revision: number
}>

/** A file that holds a snapshot, found whole. */
export type Verified = Readonly<{
  path: string
  kind: 'xz' | 'db'
  archive: Checksum
  content: Checksum
  /** False in a copy of a member's own file, which ends without etcd's SHA-256: then only its structure was checked. */
  hasTrailer: boolean
  contents: Contents
}>

/** What is in a snapshot, for people. Sizes are bytes; values are never shown. */
export type Inventory = Readonly<{
  /** As `etcdutl snapshot status` of 3.5 has them. */
  hash: number
  totalSize: number
  /** Versions of keys that are kept, deletions among them. */
  revisions: number
  /** Up to where history was compacted; undefined where it never was. */
  compactedRevision: number | undefined
  /** Undefined where there are more keys than can be told apart in bounded memory. */
  live: Live | undefined
  /** As the database has them; a snapshot that was restored with new members still has the old ones. */
  members: readonly MemberRecord[]
  clusterVersion: string | undefined
  /** Of etcd 3.6 and later. */
  storageVersion: string | undefined
  authEnabled: boolean
  alarms: number
  leases: number
}>

/** The latest version of each key that is not deleted. */
export type Live = Readonly<{
  objects: number
  bytes: number
  /** The most bytes first. */
  prefixes: readonly Readonly<{ prefix: string; objects: number; bytes: number }>[]
  /** The largest first, ten at most. */
  largest: readonly Readonly<{ key: string; bytes: number }>[]
}>
