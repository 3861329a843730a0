import { stat } from 'node:fs/promises'

/** What starts etcd on a node. */
export type Runtime = 'static-pod' | 'systemd'

/** kubeadm's folder stays when the manifests in it are moved away. */
export const isStaticPodNode = (): Promise<boolean> =>
  stat('/etc/kubernetes/manifests').then(
    found => found.isDirectory(),
    () => false,
  )
