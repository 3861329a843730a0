import { mulberry32 } from '../lab/random.js'
import { configMap, secret } from './configObjects.js'
import { Draw } from './draw.js'
import { lease, node } from './nodeObjects.js'
import type { Stored } from './objectFrame.js'
import { endpointSlice, event, pod, replicaSet } from './podObjects.js'

/**
 * Objects as kube-apiserver stores them: `k8s\0` and a runtime.Unknown around the object's own protobuf
 * (k8s.io/apimachinery: pkg/runtime/serializer/protobuf, pkg/runtime/generated.proto, pkg/apis/meta/v1/generated.proto).
 * What repeats in a cluster repeats: names of fields, labels, images, managedFields, the CA that stands in each
 * namespace. What is random there is random: uids, pod suffixes, hashes, addresses, tokens, certificates, releases of
 * helm. The same seed gives the same bytes.
 */
export const kinds = {
  pod,
  replicaSet,
  configMap,
  secret,
  endpointSlice,
  event,
  lease,
  node,
} satisfies Record<string, (draw: Draw, n: number) => Stored>

export type Kind = keyof typeof kinds

/** The `n`th object of its kind: the same for the same seed. */
export const objectOf = (kind: Kind, n: number, seed: number): Stored =>
  kinds[kind](
    new Draw(
      mulberry32(
        Math.imul(seed, 0x9e3779b1) ^
          Math.imul(n, 0x85ebca6b) ^
          (kind.length * 0x1000193) ^
          kind.charCodeAt(0),
      ),
    ),
    n,
  )
