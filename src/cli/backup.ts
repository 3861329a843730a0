import { resolve } from 'node:path'
import { examine } from '../backup/examine.js'
import type { Watch } from '../backup/open.js'
import { readProvenance, refuseMismatch } from '../backup/provenance.js'
import { shownJson, verifiedJson } from '../report/backupJson.js'
import { shownText, verifiedText } from '../report/backupText.js'
import { Gauge } from '../report/gauge.js'
import { colorsFor } from '../report/text.js'
import { inspectArchive, refuseUnhashed } from '../restore/inspect.js'
import type { Command, Context } from './command.js'

/** `etcd-defrag backup verify`: throws an `archive` fault unless all of the file is as etcd wrote it. */
export const verifyCommand: Command = context =>
  look(context, 'verifying', async (path, watch, elapsed) => {
    await using inspected = await inspectArchive(path, watch)
    const { verified, provenance } = inspected
    refuseUnhashed(verified, context.own['force-no-hash'])
    return {
      json: () => verifiedJson(verified, provenance, elapsed()),
      text: () => verifiedText(verified, provenance, elapsed()),
    }
  })

/** `etcd-defrag backup show`: the same checks, and what is in it. */
export const showCommand: Command = context =>
  look(context, 'reading', async (path, watch, elapsed) => {
    const provenance = await readProvenance(path)
    const examined = await examine(path, watch)
    refuseMismatch(examined, provenance)
    const color = colorsFor(context.out.colors && context.out.stdout.isTTY === true)
    const width = context.out.stdout.columns || 110
    return {
      json: () => shownJson(examined, provenance, elapsed()),
      text: () => shownText(examined, provenance, color, width),
    }
  })

type Look = (path: string, watch: Watch, elapsed: () => number) => Promise<{ json(): object; text(): string }>

async function look({ config, out, stop, file }: Context, doing: string, act: Look): Promise<number> {
  const path = resolve(file ?? config.values['backup-path'])
  const isJson = config.values.output === 'json'
  const startedAt = Date.now()
  const isLive = out.live && out.stderr.isTTY === true && !isJson
  using gauge = isLive ? new Gauge(out.stderr, `${doing} ${path}`) : undefined
  const tell: Watch['tell'] = (pass, bytes, of) => gauge?.show(pass, bytes, of)
  const found = await act(path, { signal: stop, tell }, () => Date.now() - startedAt)
  gauge?.erase()
  out.stdout.write(`${isJson ? JSON.stringify(found.json(), null, 2) : found.text()}\n`)
  return 0
}
