import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CODE } from './bundle.js'
import { root } from './source.js'

/** What lies at a path: a file of the tree or the build, words, or a symbolic link. */
type Content = Readonly<{ file: string } | { text: string } | { link: string }>
export type Row = Content &
  Readonly<{
    path: string
    /** 0644 without; directories are 0755. All of it belongs to root. */
    mode?: number
    /** An admin's changes to it survive upgrades. */
    config?: true
    gzip?: true
    only?: 'deb' | 'rpm'
  }>

export type Built = Readonly<{
  /** Holds the bundled program. */
  program: string
  /** The same as V8 compiled it for one processor. */
  code: string
  node: string
  addon: string
  version: string
  copyright: string
}>

const LIB = '/usr/lib/etcd-defrag'
const UNITS = '/usr/lib/systemd/system'
const DOC = '/usr/share/doc/etcd-defrag'
const source = (file: string) => join(root, file)

const documents: readonly Row[] = [
  { path: `${DOC}/changelog.gz`, file: source('packaging/changelog'), gzip: true },
  { path: `${DOC}/restore.md`, file: source('packaging/restore.md') },
  { path: `${DOC}/failure-modes.md`, file: source('packaging/failure-modes.md') },
  {
    path: '/usr/share/man/man8/etcd-defrag.8.gz',
    file: source('packaging/man/etcd-defrag.8'),
    gzip: true,
  },
  {
    path: '/usr/share/man/man5/etcd-defrag.yaml.5.gz',
    file: source('packaging/man/etcd-defrag.yaml.5'),
    gzip: true,
  },
  {
    path: '/usr/share/bash-completion/completions/etcd-defrag',
    file: source('packaging/completion/etcd-defrag.bash'),
  },
  {
    path: '/usr/share/fish/vendor_completions.d/etcd-defrag.fish',
    file: source('packaging/completion/etcd-defrag.fish'),
  },
  // The folder that zsh looks into is Debian's own choice.
  {
    path: '/usr/share/zsh/vendor-completions/_etcd-defrag',
    file: source('packaging/completion/_etcd-defrag'),
    only: 'deb',
  },
  {
    path: '/usr/share/zsh/site-functions/_etcd-defrag',
    file: source('packaging/completion/_etcd-defrag'),
    only: 'rpm',
  },
]

/** Everything that is installed, one row each. */
export async function layout({
  program,
  code,
  node,
  addon,
  version,
  copyright,
}: Built): Promise<readonly Row[]> {
  const modules = (await readdir(program)).filter(name => name !== 'main.js').sort()
  const units = (await readdir(source('systemd'))).filter(name => /\.(service|timer)$/.test(name)).sort()
  const examples = (await readdir(source('packaging/examples'))).sort()
  const manifest = `${JSON.stringify({ name: 'etcd-defrag', version, type: 'module' })}\n`
  return [
    { path: '/usr/bin/etcd-defrag', link: '../lib/etcd-defrag/dist/src/main.js' },
    { path: `${LIB}/node`, file: node, mode: 0o755 },
    { path: `${LIB}/lzma.node`, file: addon },
    { path: `${LIB}/package.json`, text: manifest }, // as in an npm package: main.js finds its version two folders up
    { path: `${LIB}/dist/src/main.js`, file: join(program, 'main.js'), mode: 0o755 },
    ...modules.map(name => ({ path: `${LIB}/dist/src/${name}`, file: join(program, name) })),
    { path: `${LIB}/dist/src/${CODE}`, file: code },
    ...units.map(name => ({ path: `${UNITS}/${name}`, file: source(`systemd/${name}`) })),
    ...examples.map(name => ({
      path: `${DOC}/examples/${name}`,
      file: source(`packaging/examples/${name}`),
    })),
    {
      path: '/usr/lib/systemd/system-preset/50-etcd-defrag.preset',
      file: source('systemd/50-etcd-defrag.preset'),
    },
    // It has a row for a password.
    {
      path: '/etc/etcd-defrag/config.yaml',
      file: source('packaging/config.yaml'),
      mode: 0o600,
      config: true,
    },
    ...documents,
    { path: `${DOC}/copyright`, text: copyright },
    {
      path: '/usr/share/lintian/overrides/etcd-defrag',
      file: source('packaging/lintian-overrides'),
      only: 'deb',
    },
    { path: '/usr/share/licenses/etcd-defrag/LICENSE', file: source('LICENSE'), only: 'rpm' },
  ]
}
