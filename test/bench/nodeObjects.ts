import { mulberry32 } from '../lab/random.js'
import type { Draw } from './draw.js'
import { BEGAN, meta, NODES, object, type Stored, teams, tiers, time } from './objectFrame.js'
import { number, part } from './wire.js'

export function lease(draw: Draw, n: number): Stored {
  const name = `worker-${n % NODES}`
  const about = { name, namespace: 'kube-node-lease', owner: { kind: 'Node', name }, manager: 'kubelet' }
  const spec = part(1, name) + number(2, 40) + part(4, time(BEGAN + n * 10) + number(2, draw.below(1e9)))
  return object(
    `/registry/leases/kube-node-lease/${name}`,
    'coordination.k8s.io/v1',
    'Lease',
    part(1, meta(draw, about)) + part(2, spec),
  )
}

/** Its status with the list of images is written every few minutes. */
export function node(draw: Draw, n: number): Stored {
  const name = `worker-${n % NODES}`
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
  }
  const images = Array.from({ length: 50 }, (_, i) => {
    const image = mulberry32(i) // the same images on all nodes
    const digest = Array.from({ length: 64 }, () => Math.floor(image() * 16).toString(16)).join('')
    return part(
      8,
      part(1, `registry.internal/${teams[i % 8]}-${tiers[i % 7]}@sha256:${digest}`) + number(2, 1e8 + i),
    )
  })
  const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map(type =>
    part(
      4,
      part(1, type) + part(2, 'False') + part(3, time(BEGAN + n)) + part(6, `kubelet has sufficient ${type}`),
    ),
  )
  const body =
    part(1, meta(draw, { name, namespace: '', labels, manager: 'kubelet' })) +
    part(3, conditions.join('') + images.join(''))
  return object(`/registry/minions/${name}`, 'v1', 'Node', body)
}
