import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Puts `text` into a file (mode 0644) that outlives a power cut, whole or not at all; its folder is made where there is none. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`
  // One level: Node's recursive one asks some file systems for ever.
  await mkdir(dirname(path), { mode: 0o755 }).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(partial, { force: true }) // of a call that was ended in the middle, or a link that somebody put there
  const handle = await open(partial, 'wx', 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(partial, path)
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
}
