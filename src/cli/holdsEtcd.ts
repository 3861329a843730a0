import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/resolve.js'
import { NO_ETCD } from '../model/verdict.js'
import { isListening } from '../system/listening.js'
import type { Command } from './command.js'

/** `etcd-defrag holds-etcd`: the condition of the units, so that a node without etcd skips them. */
export const holdsEtcdCommand: Command = async ({ config, out }) => {
  const sign = await signOf(config)
  const none = `this node holds no etcd: none is configured, there is none of kubeadm, k3s, RKE2 or Debian, no data in ${config.values['data-dir']}, and nothing listens at ${config.values.endpoints[0]}; where that is wrong, set endpoints in the configuration file`
  if (config.values.output === 'json')
    out.stdout.write(
      `${JSON.stringify({ format: 1, holdsEtcd: sign !== undefined, because: sign ?? none }, null, 2)}\n`,
    )
  else out.stdout.write(`${sign === undefined ? none : `this node holds an etcd: ${sign}`}\n`)
  return sign === undefined ? NO_ETCD : 0
}

/** What speaks for an etcd here. What is there and cannot be read speaks for one too: a run shall say so. */
async function signOf({ values, origins, notes }: Config): Promise<string | undefined> {
  const named = origins.find(
    ({ name, where, ifAny }) => SAYS_WHERE.has(name) && where !== 'default' && !ifAny,
  )
  if (named !== undefined) return `${named.name} ${named.shown} is from ${named.where}`
  if (notes[0] !== undefined) return notes[0]
  const store = join(values['data-dir'], 'member')
  const isThere = await stat(store).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
  if (isThere) return `there is ${store}`
  const [endpoint] = values.endpoints
  return (await isListening(endpoint, values['dial-timeout'])) ? `${endpoint} is listened at` : undefined
}

const SAYS_WHERE: ReadonlySet<string> = new Set(['endpoints', 'data-dir'])
