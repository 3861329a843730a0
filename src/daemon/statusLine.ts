import type { LastRun } from '../model/daemon.js'
import type { Zone } from './zone.js'

/** What a daemon is about; instants are ms since the epoch. */
export type Standing = Readonly<{
  runningSince: number | undefined
  next: number | undefined
  lastRun: LastRun | undefined
}>

/** As the service manager shows it (sd_notify(3), STATUS). */
export const statusLine = (zone: Zone, { runningSince, next, lastRun }: Standing): string =>
  [
    runningSince === undefined ? [] : `running since ${zone.shown(runningSince)}`,
    next === undefined ? 'no next run' : `next run ${zone.shown(next)} (${zone.name})`,
    lastRun === undefined ? [] : `last run: ${lastRun.verdict} at ${zone.shown(lastRun.at)}`,
  ]
    .flat()
    .join('; ')
