import { createHash } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** Everything below a folder and itself, with owner, mode and content: equal trees are equal texts. */
export async function treeOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = [folder, ...entries.map(entry => join(entry.parentPath, entry.name))]
  const lines = await Promise.all(
    paths.map(async path => {
      const { uid, gid, mode, size } = await lstat(path)
      const content = (await lstat(path)).isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : ''
      return `${relative(folder, path) || '.'} ${uid}:${gid} ${mode.toString(8)} ${content === '' ? '' : size} ${content}`
    }),
  )
  return lines.toSorted()
}
