import { readFile } from 'node:fs/promises'

/** Another one after each start of the machine (random(4)); undefined where the system has none. */
export const bootIdOf = (): Promise<string | undefined> =>
  readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    id => id.trim(),
    () => undefined,
  )
