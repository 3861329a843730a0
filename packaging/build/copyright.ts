import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import { call } from './programs.js'
import { root } from './source.js'

export type Copyright = Readonly<{
  text: string
  /** Of everything in the package, by their SPDX names. */
  licences: readonly string[]
}>
type Part = Readonly<{
  files: string
  about: string
  holders: readonly string[]
  licence: string
  text: string
}>

/** Apache-2.0 asks for a copy with the program; Debian has it in one place for all, and the rpm brings it. */
const APACHE =
  'On Debian systems the complete text of the Apache License, Version 2.0, is in\n/usr/share/common-licenses/Apache-2.0; the rpm has it in\n/usr/share/licenses/etcd-defrag/LICENSE.'

/**
 * The copyright file (Debian's machine-readable format 1.0) of this program, of Node as it comes, and of each npm package
 * of which anything was bundled. Throws for one without the text of a licence.
 */
export async function copyrightOf(
  metafile: Pick<Metafile, 'inputs'>,
  nodeLicence: string,
): Promise<Copyright> {
  const own: Part = {
    files: '*',
    about: '',
    holders: ['etcd-defrag authors'],
    licence: 'Apache-2.0',
    text: APACHE,
  }
  const node: Part = {
    files: 'usr/lib/etcd-defrag/node',
    about: 'Node.js, and what is in it: V8, libuv, OpenSSL, ICU, zlib and others, each named below',
    holders: ['Node.js contributors', 'the others that the text names'],
    licence: 'Node.js',
    text: await readFile(nodeLicence, 'utf8'),
  }
  // Of node-addon-api only headers are in the addon, so that no bundler knows of it.
  const packages = [...packagesIn(metafile), 'node_modules/node-addon-api']
  const parts = [own, node, await liblzma(), ...(await Promise.all(packages.map(packagePart)))]
  const head =
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: etcd-defrag\n'
  // Node's own licence is MIT; what it takes of others is named in its text.
  const names = parts.map(part => (part.licence === 'Node.js' ? 'MIT' : part.licence))
  const licences = [...new Set(names.filter(name => name !== 'public-domain'))]
  return { text: [head, ...parts.map(paragraph)].join('\n'), licences }
}

/** The folders of the packages that anything in the bundle comes from. */
export function packagesIn({ inputs }: Pick<Metafile, 'inputs'>): readonly string[] {
  const folders = Object.keys(inputs).map(
    path => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0],
  )
  return [...new Set(folders.filter(folder => folder !== undefined))].sort()
}

async function packagePart(folder: string): Promise<Part> {
  const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Manifest
  const name = (await readdir(join(root, folder))).sort().find(entry => /^(licen[cs]e|copying)/i.test(entry))
  if (name === undefined || manifest.license === undefined)
    throw new Error(`${folder} names no licence, or has not the text of it: it cannot be given to others`)
  const text = await readFile(join(root, folder, name), 'utf8')
  const isApache = manifest.license === 'Apache-2.0'
  const author = typeof manifest.author === 'object' ? manifest.author.name : manifest.author
  const said = [...text.matchAll(/^\W*copyright\s+(?:\(c\)|©)?\s*(.*\S)/gim)].map(
    ([, holder]) => holder ?? '',
  )
  const holders = said.filter(holder => !/\[yyyy\]|notice|^license/i.test(holder))
  return {
    files: `${folder}/*`,
    about: `${manifest.name} ${manifest.version}`,
    holders: holders.length > 0 ? holders : [`the authors of ${manifest.name}${author ? `, ${author}` : ''}`],
    licence: manifest.license.replaceAll(/[() ]+/g, ' ').trim(),
    text: isApache ? APACHE : text,
  }
}

type Manifest = Readonly<{
  name: string
  version: string
  license?: string
  author?: string | { name: string }
}>

/** It is in the addon, and its sources come with lzma-native. */
async function liblzma(): Promise<Part> {
  const folder = join(root, 'node_modules/lzma-native/deps')
  const tarball = (await readdir(folder)).find(name => name.endsWith('.tar.bz2')) ?? ''
  const version = tarball.replace('.tar.bz2', '')
  const text = await call('tar', ['-xjOf', join(folder, tarball), `${version}/COPYING`])
  const about = `liblzma of ${version}, and lzma-native around it, which is named below`
  return {
    files: 'usr/lib/etcd-defrag/lzma.node',
    about,
    holders: ['Lasse Collin, Igor Pavlov and others'],
    licence: 'public-domain',
    text,
  }
}

function paragraph({ files, about, holders, licence, text }: Part): string {
  const indented = text
    .trim()
    .split('\n')
    .map(line => (line.trim() === '' ? ' .' : ` ${line.trimEnd().replaceAll('\t', '        ')}`))
  const lines = [`Files: ${files}`, `Copyright: ${holders.join('\n           ')}`]
  return [
    ...lines,
    ...(about === '' ? [] : [`Comment: ${about}`]),
    `License: ${licence}`,
    ...indented,
    '',
  ].join('\n')
}
