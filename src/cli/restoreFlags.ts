import { resolve } from 'node:path'
import { discover } from '../config/discover.js'
import { Failure } from '../model/fault.js'
import type { Wishes } from '../restore/identity.js'
import type { Context } from './command.js'

/** 0 for none. */
export const bumpOf = ({ own }: Context): number => (own['no-bump-revision'] ? 0 : own['bump-revision'])

export const wishesOf = ({ own }: Context): Wishes => ({
  name: own.name,
  initialCluster: own['initial-cluster'],
  peerUrls: own['initial-advertise-peer-urls'],
  token: own['initial-cluster-token'],
})

export const fileOf = ({ file }: Context): string => resolve(file ?? '')

/** A default would do for many a node, and on the others set aside what is not meant. */
export function dataDirOf({ config }: Context): string {
  const where = config.origins.find(({ name }) => name === 'data-dir')?.where
  if (where === 'default')
    throw new Failure({
      kind: 'config',
      option: '--data-dir',
      problem: `is needed: where etcd on this node has its data, such as ${config.values['data-dir']}`,
    })
  return resolve(config.values['data-dir'])
}

/** Where etcd on this node has its data: as configured, and as the node's own files say. */
export async function ownDataDirs({ config }: Context): Promise<readonly string[]> {
  const { found } = await discover()
  return [config.values['data-dir'], ...(found['data-dir'] === undefined ? [] : [found['data-dir'].text])]
}
