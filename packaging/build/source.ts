import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folder of package.json, from dist/packaging/build. */
export const root = join(import.meta.dirname, '../../..')

/** What was fetched or compiled once is kept here, beside what the lab fetched. */
export const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'etcd-defrag-package')

export type Release = Readonly<{
  /** As npm has it. */
  version: string
  /** As dpkg and rpm order it: what is before a release sorts before it. */
  debianVersion: string
  /** `Name <address>`. */
  maintainer: string
  /** Seconds; the time of everything in a package. */
  epoch: number
  changes: readonly string[]
}>

/** What is being released, by package.json and the newest entry of packaging/changelog. */
export async function releaseOf(asked?: string): Promise<Release> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const changelog = await readFile(join(root, 'packaging/changelog'), 'utf8')
  const debianVersion = manifest.version.replace('-', '~')
  const [, newest] = /^etcd-defrag \(([^)]+)\) /.exec(changelog) ?? []
  if (newest !== debianVersion)
    throw new Error(`packaging/changelog begins with ${newest}, and package.json has ${debianVersion}`)
  const [, maintainer, date] = /^ -- (.+>) {2}(.+)$/m.exec(changelog) ?? []
  if (maintainer === undefined || date === undefined)
    throw new Error('packaging/changelog is signed by nobody')
  const body = changelog.slice(changelog.indexOf('\n'), changelog.indexOf('\n -- ')).trim()
  const changes = body.split(/^ {2}\* /m).flatMap(text => text.replaceAll(/^\* |\s*\n\s*/g, ' ').trim() || [])
  const version = asked ?? manifest.version
  return {
    version,
    debianVersion: version.replace('-', '~'),
    maintainer,
    epoch: Date.parse(date) / 1000,
    changes,
  }
}
