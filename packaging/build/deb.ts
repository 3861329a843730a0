import { createHash } from 'node:crypto'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianDepends, glibcFloor } from './depends.js'
import type { Making } from './make.js'
import { call } from './programs.js'
import { script } from './scripts.js'
import { filesBelow, stage } from './stage.js'

/** Measured on the whole: -6 is 1.2 % larger, -9e not smaller than -9. */
const compressions = {
  small: ['-Zxz', '-z9', '--threads-max=1'],
  fast: ['-Zgzip', '-z1'],
} as const

/** Makes the .deb with dpkg-deb below `work` and gives its path. */
export async function makeDeb({
  rows,
  needs,
  target,
  architecture,
  release,
  work,
  ...how
}: Making): Promise<string> {
  const folder = join(work, 'deb')
  const own = rows.filter(row => row.only !== 'rpm')
  await stage(own, folder, release.epoch)
  const files = (await filesBelow(folder)).filter(({ isFolder }) => !isFolder)
  const control = join(folder, 'DEBIAN')
  await mkdir(control)
  const write = (name: string, text: string, mode = 0o644) => writeFile(join(control, name), text, { mode })
  const configs = own.filter(row => row.config).map(row => `${row.path}\n`)
  await write('conffiles', configs.join(''))
  const sums = files.filter(
    ({ path }) => !own.some(row => row.path === path && (row.config || 'link' in row)),
  )
  await write('md5sums', (await Promise.all(sums.map(({ path }) => md5sum(folder, path)))).join(''))
  const sizes = await Promise.all(files.map(async ({ path }) => stat(join(folder, path))))
  const control_ = [
    'Package: etcd-defrag',
    `Version: ${release.debianVersion}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${release.maintainer}`,
    `Installed-Size: ${Math.ceil(sizes.reduce((sum, { size }) => sum + size, 0) / 1024)}`,
    `Depends: ${[...debianDepends(needs), 'init-system-helpers (>= 1.50)'].join(', ')}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${how.synopsis}`,
    ...how.about.map(line => ` ${line === '' ? '.' : line}`),
  ]
  await write('control', `${control_.join('\n')}\n`)
  const values = { UNAME: target.uname, GLIBC_MINOR: glibcFloor(needs).replace('2.', '') }
  for (const name of ['preinst', 'postinst', 'prerm', 'postrm'])
    await write(name, await script(name, values), 0o755)
  const made = join(work, `etcd-defrag_${release.debianVersion}_${architecture}.deb`)
  const args = ['--root-owner-group', ...compressions[how.compression], '--build', folder, made]
  await call('dpkg-deb', args, { env: { SOURCE_DATE_EPOCH: String(release.epoch) } })
  return made
}

async function md5sum(folder: string, path: string): Promise<string> {
  const hash = createHash('md5').update(await readFile(join(folder, path)))
  return `${hash.digest('hex')}  ${path.slice(1)}\n`
}
