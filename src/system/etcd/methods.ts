/** The methods that are called, by etcd3's names; a package holds the protocol of no others. */
export const SERVICE_OF = {
  alarm: 'Maintenance',
  authenticate: 'Auth',
  defragment: 'Maintenance',
  deleteRange: 'KV',
  leaseGrant: 'Lease',
  leaseKeepAlive: 'Lease',
  leaseRevoke: 'Lease',
  memberList: 'Cluster',
  moveLeader: 'Maintenance',
  put: 'KV',
  range: 'KV',
  status: 'Maintenance',
  txn: 'KV',
} as const

export type Method = keyof typeof SERVICE_OF
