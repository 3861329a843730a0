import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MANIFEST } from './held.js'
import { STOPPED } from './onNodes.js'

/** What starts etcd on a node. */
export type Runtime = 'static-pod' | 'systemd'

/** Where etcd's manifest is, or was moved to: kubeadm has the folder on nodes without etcd too. */
export async function isStaticPodNode(): Promise<boolean> {
  const places = [MANIFEST, ...[STOPPED, '/root'].map(folder => join(folder, basename(MANIFEST)))]
  const found = await Promise.all(
    places.map(place =>
      stat(place).then(
        file => file.isFile(),
        () => false,
      ),
    ),
  )
  return found.includes(true)
}
