import { hostname } from 'node:os'
import { pausedBy } from '../decide/admission.js'
import type { Pause } from '../model/coordination.js'
import { describe, Failure, faultOf } from '../model/fault.js'
import { PauseFile } from '../system/pauseFile.js'
import type { Command, Context } from './command.js'
import { connect, coordinationOf } from './world.js'

/** `etcd-defrag pause`: no run begins until it is over. */
export const pauseCommand: Command = async context => {
  const { own, config, out } = context
  const now = Date.now()
  const pause: Pause = { by: hostname(), since: now, until: now + own.for, reason: own.reason }
  const file = new PauseFile(config.values['state-dir'])
  const before =
    own.scope === 'node'
      ? await file.read().catch(() => undefined) // one that cannot be understood is replaced
      : await inEtcd(context, async coordination => {
          const { pause: present } = await coordination.read()
          await coordination.pause(pause)
          return present
        })
  if (own.scope === 'node') await file.write(pause)
  const replaced = pausedBy(before, own.scope, now)?.because.replace(/; end it.*$/, '')
  const where = own.scope === 'node' ? 'this node' : 'the cluster'
  say(context, {
    paused: own.scope,
    replaced: replaced ?? null,
    until: new Date(pause.until).toISOString(),
    reason: own.reason,
  })
  if (config.values.output === 'text')
    out.stdout.write(
      `${where} is paused until ${new Date(pause.until).toISOString()}; no run begins before that, or before etcd-defrag resume --scope ${own.scope}\n${replaced === undefined ? '' : `this takes the place of another: ${replaced}\n`}`,
    )
  return 0
}

/** `etcd-defrag resume`: ends the pause of the cluster or of this node. */
export const resumeCommand: Command = async context => {
  const { own, config, out } = context
  const nodePause = new PauseFile(config.values['state-dir'])
  const wasPaused =
    own.scope === 'node'
      ? await nodePause.remove()
      : await inEtcd(context, coordination => coordination.resume())
  const where = own.scope === 'node' ? 'this node' : 'the cluster'
  say(context, { resumed: own.scope, wasPaused })
  if (config.values.output === 'text')
    out.stdout.write(wasPaused ? `the pause of ${where} is over\n` : `${where} was not paused\n`)
  const still = own.scope === 'node' ? undefined : await nodePause.read()
  if (still !== undefined && still.until > Date.now() && config.values.output === 'text')
    out.stdout.write(
      `this node is still paused, until ${new Date(still.until).toISOString()}: etcd-defrag resume --scope node\n`,
    )
  return 0
}

async function inEtcd<T>(
  { config, stop }: Context,
  work: (coordination: ReturnType<typeof coordinationOf>) => Promise<T>,
): Promise<T> {
  if (!config.values.coordination)
    throw new Failure({
      kind: 'config',
      option: '--no-coordination',
      problem: 'keeps every key of ours out of etcd, and the pause of a cluster is one; use --scope node',
    })
  const etcd = await connect(config)
  try {
    await etcd.observe(stop)
    return await work(coordinationOf(config, etcd))
  } catch (error) {
    const fault = faultOf(error)
    if (fault.kind !== 'etcd' && fault.kind !== 'refused') throw error
    const problem = `${describe(fault)}; the pause of a cluster is kept in its etcd, that of a node is not (--scope node)`
    throw new Failure({ kind: 'refused', check: 'pause', problem }, error)
  } finally {
    etcd.close()
  }
}

function say({ config, out }: Context, document: object): void {
  if (config.values.output === 'json')
    out.stdout.write(`${JSON.stringify({ format: 1, ...document }, null, 2)}\n`)
}
