import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What the last trial left to be written and freed is not the next one's. */
export async function settle(): Promise<void> {
  await promisify(execFile)('sync')
  await sleep(500)
}
