import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What was made for a trial, and what the last one left to be written and freed, is not this one's. */
export async function settle(): Promise<void> {
  await promisify(execFile)('sync')
  await sleep(500)
}
