import { inventoryOf } from '../backup/inventory.js'
import { exitCodes } from '../model/verdict.js'
import { listJson, listText } from '../report/archives.js'
import { colorsFor } from '../report/text.js'
import type { Command } from './command.js'

/** `etcd-defrag backup list`: the archive and its earlier ones, and whether they are whole. */
export const listCommand: Command = async ({ config, out, stop }) => {
  const path = config.values['backup-path']
  const archives = await inventoryOf(path, stop)
  const now = Date.now()
  const text =
    config.values.output === 'json'
      ? JSON.stringify(listJson(archives), null, 2)
      : listText(path, archives, now, colorsFor(out.colors && out.stdout.isTTY === true))
  out.stdout.write(`${text}\n`)
  const isWhole = archives.length > 0 && !archives.some(({ state }) => state.kind === 'damaged')
  return isWhole ? 0 : exitCodes.archive
}
