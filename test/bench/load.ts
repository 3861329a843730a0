import { readFileSync } from 'node:fs'
import { Client, credentials } from '@grpc/grpc-js'
import type { Operation } from './gaps.js'
import { now } from './measured.js'
import { bytesOf, part } from './wire.js'

/** A process of its own, at real-time priority: `node load.js PLAN` works until its standard input ends, then prints `Done`. */
export type Plan = Readonly<{
  endpoints: readonly Readonly<{ name: string; url: string }>[]
  tls: Readonly<{ ca: string; cert: string; key: string }> | undefined
  /** Of all clients together. */
  operationsPerSecond: number
  deadlineMs: number
  /** How long the client that fails over waits for one member before it asks the next. */
  tryMs: number
}>
export type Done = Readonly<{
  operations: readonly Operation[]
  /** By how much the generator itself was late at the worst, ms. */
  latestMs: number
}>

const VALUE = 'x'.repeat(256)
const KEYS = 100

type Client_ = Readonly<{
  name: string
  kind: Operation['kind']
  send: (n: number, dueAt: number) => Promise<void>
}>

function connect({ endpoints, tls }: Plan): readonly Client[] {
  const channel =
    tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(readFileSync(tls.ca), readFileSync(tls.key), readFileSync(tls.cert))
  return endpoints.map(
    ({ url }) =>
      new Client(url.replace(/^https?:\/\//, ''), channel, {
        'grpc.enable_retries': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 500,
        'grpc.use_local_subchannel_pool': 1,
      }),
  )
}

/** Keys and values as etcd's own messages have them (etcd: api/etcdserverpb/rpc.proto); what comes back is not read. */
const call = (client: Client, method: 'Put' | 'Range', key: string, deadline: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const message = bytesOf(part(1, key) + (method === 'Put' ? part(2, VALUE) : ''))
    client.makeUnaryRequest(
      `/etcdserverpb.KV/${method}`,
      (bytes: Buffer) => bytes,
      () => undefined,
      message,
      { deadline },
      error => (error === null ? resolve() : reject(error)),
    )
  })

/** A writer and a linearizable reader at each member, and one that turns to another member when its own is silent. */
function clientsOf(plan: Plan): readonly Client_[] {
  const connections = connect(plan)
  const own = plan.endpoints.flatMap(({ name }, i): Client_[] => {
    const client = connections[i] as Client
    const send = (method: 'Put' | 'Range') => (n: number, dueAt: number) =>
      call(client, method, `/bench/${name}/${n % KEYS}`, dueAt + plan.deadlineMs)
    return [
      { name, kind: 'write', send: send('Put') },
      { name, kind: 'read', send: send('Range') },
    ]
  })
  let current = 0
  const failingOver = async (n: number, dueAt: number): Promise<void> => {
    const until = dueAt + plan.deadlineMs
    for (;;) {
      const at = current
      try {
        const client = connections[at % connections.length] as Client
        return await call(client, 'Put', `/bench/failover/${n % KEYS}`, Math.min(now() + plan.tryMs, until))
      } catch (error) {
        if (now() >= until) throw error
        // Of the many that were under way at the same member, the first one turns for all.
        if (current === at) current += 1
        if (connections.length === 1) await new Promise(resolve => setTimeout(resolve, 10))
      }
    }
  }
  return [...own, { name: FAILS_OVER, kind: 'write', send: failingOver }]
}

/** The name of the client that is bound to no member. */
export const FAILS_OVER = 'fails over'

/** Open loop: every operation is sent when it is due, whatever became of those before. */
export async function generate(plan: Plan, ended: Promise<unknown>): Promise<Done> {
  const clients = clientsOf(plan)
  const everyMs = 1000 / plan.operationsPerSecond
  const operations: Operation[] = []
  const underWay = new Set<Promise<void>>()
  let isOver = false
  const over = ended.then(() => {
    isOver = true
  })
  let latestMs = 0
  const start = now()
  for (let n = 0; !isOver; ) {
    for (; start + n * everyMs <= now(); n++) {
      const dueAt = start + n * everyMs
      latestMs = Math.max(latestMs, now() - dueAt)
      const { name, kind, send } = clients[n % clients.length] as Client_
      const sent: Promise<void> = send(Math.floor(n / clients.length), dueAt).then(
        () => void operations.push({ client: name, kind, dueAt, endedAt: now(), isDone: true }),
        () => void operations.push({ client: name, kind, dueAt, endedAt: now(), isDone: false }),
      )
      underWay.add(sent)
      void sent.then(() => underWay.delete(sent))
    }
    await new Promise(resolve => setTimeout(resolve, Math.max(0, start + n * everyMs - now())))
  }
  await over
  await Promise.all(underWay)
  return { operations, latestMs }
}
