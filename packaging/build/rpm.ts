import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { glibcFloor, rpmRequires } from './depends.js'
import type { Row } from './layout.js'
import type { Making } from './make.js'
import { call } from './programs.js'
import { script } from './scripts.js'
import type { Release } from './source.js'
import { filesBelow, stage } from './stage.js'

/** rpm's own notation: the level, and the coder (rpm: macros.in, `_binary_payload`). */
const compressions = { small: 'w9.xzdio', fast: 'w1.gzdio' } as const

/**
 * What Debian's and other distributions' rpmbuild would add by themselves, from the machine at hand: names of the machine,
 * times, links of build ids, and stripping and checking with programs for this processor.
 */
const plain = [
  '%global debug_package %{nil}',
  '%global __os_install_post %{nil}',
  '%global __brp_check_rpaths %{nil}',
  '%global _build_id_links none',
  '%global _buildhost reproducible',
  '%global use_source_date_epoch_as_buildtime 1',
  '%global clamp_mtime_to_source_date_epoch 1',
  '%global source_date_epoch_from_changelog 0',
]

/** Makes the .rpm with rpmbuild below `work` and gives its path. */
export async function makeRpm({ rows, needs, target, release, work, ...how }: Making): Promise<string> {
  const top = join(work, 'rpm')
  const folder = join(top, 'tree')
  const own = rows.filter(row => row.only !== 'deb')
  await stage(own, folder, release.epoch)
  const values = { UNAME: target.uname, GLIBC_MINOR: glibcFloor(needs).replace('2.', '') }
  const scriptlet = async (name: string) => `%${name}\n${verbatim(await script(`${name}.rpm`, values))}`
  const spec = [
    ...plain,
    `%global _binary_payload ${compressions[how.compression]}`,
    '',
    'Name: etcd-defrag',
    `Version: ${release.debianVersion}`,
    'Release: 1',
    `Summary: ${how.synopsis.replace(/^./, letter => letter.toUpperCase())}`,
    `License: ${how.licences.join(' AND ')}`,
    `Packager: ${release.maintainer}`,
    'AutoReqProv: no',
    ...rpmRequires(needs).map(what => `Requires: ${what}`),
    'Requires: /bin/sh',
    'Requires: /usr/bin/flock',
    'OrderWithRequires(post): systemd', // where both come into a new root, it is there before our scriptlet
    '',
    '%description',
    ...how.about,
    '',
    '%install',
    `cp -a ${folder}/. %{buildroot}/`,
    '',
    ...(await Promise.all(['pre', 'post', 'preun', 'postun'].map(scriptlet))),
    '%files',
    ...fileLines(own, await filesBelow(folder)),
    '',
    '%changelog',
    ...changelogLines(release),
  ]
  await mkdir(top, { recursive: true })
  await writeFile(join(top, 'etcd-defrag.spec'), `${spec.join('\n')}\n`)
  const args = ['-bb', '--target', `${target.rpm}-linux`, '--define', `_topdir ${top}`]
  await call('rpmbuild', [...args, join(top, 'etcd-defrag.spec')], {
    env: { SOURCE_DATE_EPOCH: String(release.epoch), HOME: top },
  })
  const made = `etcd-defrag-${release.debianVersion}-1.${target.rpm}.rpm`
  await rm(folder, { recursive: true })
  return join(top, 'RPMS', target.rpm, made)
}

/** rpmbuild would expand a `%` as a macro. */
const verbatim = (text: string) => text.replaceAll('%', '%%')

/** Folders that are ours alone are ours to remove; the others belong to the distribution. */
const isOurs = (path: string) => /\/etcd-defrag(\/|$)/.test(path)

function fileLines(rows: readonly Row[], found: readonly { path: string; isFolder: boolean }[]): string[] {
  return found.flatMap(({ path, isFolder }) => {
    if (isFolder) return isOurs(path) ? [`%dir %attr(0755, root, root) ${path}`] : []
    const row = rows.find(candidate => candidate.path === path)
    if (row === undefined) throw new Error(`no row has ${path}`)
    if ('link' in row) return [path]
    const kind = row.config ? '%config(noreplace) ' : path.startsWith('/usr/share/doc/') ? '%doc ' : ''
    return [`${kind}%attr(0${(row.mode ?? 0o644).toString(8)}, root, root) ${path}`]
  })
}

/** The newest entry of packaging/changelog as rpm writes it. */
function changelogLines({ epoch, maintainer, debianVersion, changes }: Release): string[] {
  const [day, date, month, year] = new Date(epoch * 1000).toUTCString().split(/,? /)
  const head = `* ${day} ${month} ${date} ${year} ${maintainer} - ${debianVersion}-1`
  return [head, ...changes.map(change => `- ${verbatim(change)}`)]
}
