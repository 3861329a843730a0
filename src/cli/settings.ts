import type { Config } from '../config/resolve.js'
import { configFailure } from '../config/sources.js'
import { withoutPassword } from '../daemon/credentials.js'
import { scheduleOf } from '../daemon/cron.js'
import { nextDue } from '../daemon/due.js'
import { zoneOf } from '../daemon/zone.js'
import { SETTINGS_FORMAT, type Settings } from '../model/daemon.js'
import type { Command } from './command.js'
import { runWordsOf } from './words.js'

/** How many runs to come are shown. */
const SHOWN = 3

/** `etcd-defrag daemon settings`: what a daemon with these flags would go by now. Throws a `config` fault. */
export const settingsCommand: Command = async ({ config, flags, out }) => {
  const { timezone, 'catch-up': catchUp, 'state-dir': stateDir } = config.values
  const schedule = read(config, 'schedule', () => scheduleOf(config.values.schedule))
  const zone = read(config, 'timezone', () => zoneOf(timezone))
  const { words, environment } = withoutPassword({ words: runWordsOf(flags), environment: {} })
  const run = ['run', ...words]
  const hidden = Object.fromEntries(Object.keys(environment).map(name => [name, '(hidden)']))
  const settings: Settings = { schedule, timezone, zone: zone.name, catchUp, stateDir, run }
  const next: string[] = []
  for (let at: number | undefined = Date.now(); next.length < SHOWN; ) {
    at = nextDue(schedule, zone.offsetAt, at)
    if (at === undefined) throw configFailure(whereIs(config, 'schedule'), 'never comes due')
    next.push(zone.shown(at))
  }
  out.stdout.write(
    `${JSON.stringify({ format: SETTINGS_FORMAT, ...settings, environment: hidden, next }, null, 2)}\n`,
  )
  return 0
}

function read<T>(config: Config, name: 'schedule' | 'timezone', make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw configFailure(whereIs(config, name), error instanceof Error ? error.message : String(error), error)
  }
}

const whereIs = ({ origins }: Config, name: string): string =>
  origins.find(origin => origin.name === name)?.where ?? name
