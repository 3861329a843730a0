import { chmod, copyFile, lutimes, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Row } from './layout.js'
import { call } from './programs.js'

/** Lays the rows out below `folder`, with the modes and the one time that they have in the package. */
export async function stage(rows: readonly Row[], folder: string, epoch: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const row of rows) {
    const path = join(folder, row.path)
    await mkdir(dirname(path), { recursive: true })
    if ('link' in row) {
      await symlink(row.link, path)
      continue
    }
    if ('text' in row) await writeFile(path, row.text)
    else await copyFile(row.file, path)
    if (row.gzip) await gzipInPlace(path)
    await chmod(path, row.mode ?? 0o644)
  }
  await settle(folder, epoch)
}

/** gzip(1) with neither name nor time in it (`-n`), as Debian Policy 12.7 asks. */
async function gzipInPlace(path: string): Promise<void> {
  const plain = path.replace(/\.gz$/, '')
  await writeFile(plain, await readFile(path))
  await call('gzip', ['-9nf', plain])
}

async function settle(folder: string, epoch: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await settle(path, epoch)
    else await lutimes(path, epoch, epoch)
  }
  await chmod(folder, 0o755)
  await lutimes(folder, epoch, epoch)
}

/** What was laid out in `folder`, files and links as well as the folders that hold them, sorted. */
export async function filesBelow(folder: string): Promise<readonly { path: string; isFolder: boolean }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map(entry => ({
      path: join(entry.parentPath, entry.name).slice(folder.length),
      isFolder: entry.isDirectory(),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}
