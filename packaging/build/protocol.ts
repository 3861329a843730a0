import { createRequire } from 'node:module'
import { join } from 'node:path'
import { SERVICE_OF } from '../../src/system/etcd/methods.js'

/**
 * The part of etcd's protocol that the program calls, as protobufjs writes it in JSON: each start makes a definition of
 * every message, and most of them would never be sent. `etcd3` is its folder. Throws where there is no such method.
 */
export function protocolOf(etcd3: string): object {
  const loader = createRequire(join(etcd3, 'package.json')).resolve('@grpc/proto-loader')
  const { Root } = createRequire(loader)('protobufjs') as Readonly<{ Root: new () => Root }>
  const file = join(etcd3, 'proto/rpc.proto')
  // As @grpc/proto-loader does with etcd3's options (its build/src/util.js, loadProtosWithOptionsSync).
  const root = new Root().loadSync(file, { keepCase: true }).resolveAll()
  const kept = new Set<Part>()
  for (const [name, service] of Object.entries(SERVICE_OF)) {
    const { methods } = root.lookupService(`etcdserverpb.${service}`)
    const method = methods[name.replace(/^./, first => first.toUpperCase())]
    if (method === undefined) throw new Error(`etcd's ${service} has no method ${name}`)
    for (const part of [method, method.resolvedRequestType, method.resolvedResponseType]) keep(part, kept)
  }
  prune(root, kept)
  return root.toJSON()
}

/** A namespace, service, method, message or enum of protobufjs. */
type Part = Readonly<{
  parent: Part | null
  /** Those of a message. */
  fieldsArray?: readonly Readonly<{ resolvedType: Part | null }>[]
  nestedArray?: readonly Part[]
  /** Those of a service. */
  methodsArray?: readonly Part[]
  remove?(part: Part): void
}>
type Method = Part & Readonly<{ resolvedRequestType: Part; resolvedResponseType: Part }>
type Root = Part &
  Readonly<{
    loadSync(file: string, options: object): Root
    resolveAll(): Root
    lookupService(path: string): Readonly<{ methods: Readonly<Record<string, Method>> }>
    toJSON(): object
  }>

function keep(part: Part | null, kept: Set<Part>): void {
  if (part === null || kept.has(part)) return
  kept.add(part)
  keep(part.parent, kept)
  for (const { resolvedType } of part.fieldsArray ?? []) keep(resolvedType, kept)
}

function prune(part: Part, kept: ReadonlySet<Part>): void {
  for (const inner of [...(part.nestedArray ?? []), ...(part.methodsArray ?? [])])
    if (kept.has(inner)) prune(inner, kept)
    else part.remove?.(inner)
}
