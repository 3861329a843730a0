import type { Config } from '../config/resolve.js'
import { isReachable, quotaOf, troubles } from '../decide/cluster.js'
import { stillNoSpace } from '../decide/disarm.js'
import { recall } from '../hold.js'
import type { ClusterView } from '../model/member.js'
import { exitCodes } from '../model/verdict.js'
import { sentence, shown, table } from '../report/format.js'
import { statusJson } from '../report/json.js'
import { standingJson, standingText } from '../report/standing.js'
import { type Colors, colorsFor, statusText } from '../report/text.js'
import { PauseFile } from '../system/pauseFile.js'
import type { Command } from './command.js'

/** `etcd-defrag status`: the members as they are; with --show-config the options and where they came from. */
export const statusCommand: Command = async ({ config, out, stop, own }) => {
  const isJson = config.values.output === 'json'
  if (own['show-config']) {
    out.stdout.write(isJson ? `${JSON.stringify(configJson(config), null, 2)}\n` : `${configText(config)}\n`)
    return 0
  }
  const { connect, coordinationOf } = await import('./world.js') // which loads all of etcd's client
  const etcd = await connect(config)
  try {
    const view = await etcd.observe(stop)
    const memory = await recall(coordinationOf(config, etcd))
    const nodePause = await new PauseFile(config.values['state-dir']).read()
    const standing = { memory, nodePause, now: Date.now() }
    const quotas = view.members
      .filter(isReachable)
      .flatMap(m => quotaOf(m) ?? [])
      .filter(Number.isFinite)
    const quota = quotas.length === 0 ? config.quota : Math.min(...quotas)
    const color = colorsFor(out.colors && out.stdout.isTTY === true)
    const text = isJson
      ? JSON.stringify({ ...statusJson(view), quota: quota ?? null, ...standingJson(standing) }, null, 2)
      : [
          statusText(view, quota, color, out.stdout.columns || undefined),
          ...noSpaceText(view, color),
          ...standingText(standing, color),
        ].join('\n')
    out.stdout.write(`${text}\n`)
    return troubles(view) === undefined ? 0 : exitCodes.refused
  } finally {
    etcd.close()
  }
}

/** Members answer and read as ever under NOSPACE, so it shows nowhere else. */
const noSpaceText = (view: ClusterView, color: Colors): readonly string[] => {
  const problem = stillNoSpace(view)
  return problem === undefined
    ? []
    : ['', color.red(sentence(problem)), color.dim('a run cures it where there is something to free')]
}

const configJson = ({ origins, quota, notes }: Config) => ({
  format: 1,
  options: Object.fromEntries(origins.map(({ name, shown: value, where }) => [name, { value, from: where }])),
  quota: quota ?? null,
  notes,
})

function configText({ origins, quota, notes }: Config): string {
  const rows = origins.map(origin => [origin.name, shown(origin.shown, 80), shown(origin.where, 120)])
  return [
    ...table([{ title: 'OPTION' }, { title: 'VALUE' }, { title: 'FROM' }], rows),
    ...(quota === undefined ? [] : ['', `etcd's quota is set to ${quota} bytes`]),
    ...notes.map(note => `note: ${note}`),
  ].join('\n')
}
