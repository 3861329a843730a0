import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import { protocolOf } from './protocol.js'
import { root } from './source.js'

/** Where the bundled program finds what lies beside it, seen from its folder dist/src (also in an npm package). */
const ADDON = '../../lzma.node'

/**
 * Bundles the program into `folder`: what a command does not use is in other files than what it does. Throws where a
 * dependency is no longer what the replacements below know.
 */
export async function bundle(folder: string): Promise<Metafile> {
  const changes = rewritings()
  const left = new Set(changes)
  const { metafile } = await build({
    absWorkingDir: root,
    preserveSymlinks: true, // the paths of modules get into the bundle: only those within the tree
    entryPoints: ['src/main.ts'],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'ascii', // a file with one letter beyond Latin-1 takes twice the memory, and longer to read
    chunkNames: '[name]-[hash]',
    // The names of functions stay, without the code of `keepNames`: a stack in a report of a bug is read by people.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none', // they are in the copyright file
    // CommonJS packages ask for Node's modules by require, which a module has to make for itself.
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
    external: ['*.node'],
    plugins: [...changes.map(change => rewriting(change, () => left.delete(change))), versionsOnly],
    metafile: true,
    logLevel: 'silent',
  })
  const [unused] = left
  if (unused !== undefined) throw new Error(`no file is ${unused.file} any more`)
  const main = join(folder, 'main.js')
  const text = await readFile(main, 'utf8')
  const [, flag] = /^#!\/usr\/bin\/env -S node (--\S+)\n/.exec(text) ?? []
  if (flag === undefined) throw new Error('src/main.ts no longer begins with #! and one flag')
  await writeFile(main, text.replace(/^.*/, `#!/usr/lib/etcd-defrag/node ${flag}`)) // Linux passes one argument
  return metafile
}

/** A file of a package with parts of its text replaced, each of which is there once. */
type Rewriting = Readonly<{ file: RegExp; parts: readonly (readonly [what: string, by: string])[] }>

/** What cuts texts into characters takes as long to make as bare Node takes to start. */
const segmenterOnUse = [
  'const segmenter = new Intl.Segmenter();',
  'let made; const segmenter = { segment: text => (made ??= new Intl.Segmenter()).segment(text) };',
] as const

const rewritings = (): readonly Rewriting[] => [
  {
    // It looks for the file that fits the machine; here there is one.
    file: /\/node_modules\/lzma-native\/index\.js$/,
    parts: [["require('node-gyp-build')(__dirname)", `require('${ADDON}')`]],
  },
  {
    // etcd3 reads its protocol from a file; here it is read now, into what the parser would have made of it.
    file: /\/node_modules\/etcd3\/lib\/connection-pool\.js$/,
    parts: [
      [
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is etcd3's template
        '(0, proto_loader_1.loadSync)(`${__dirname}/../proto/rpc.proto`,',
        `(0, proto_loader_1.fromJSON)(${JSON.stringify(protocolOf(join(root, 'node_modules/etcd3')))},`,
      ],
    ],
  },
  {
    // Only servers that tell others of their protocol (gRPC reflection) look at descriptors, which each start would make.
    file: /\/@grpc\/proto-loader\/build\/src\/index\.js$/,
    parts: [
      ['const descriptor = require("protobufjs/ext/descriptor");', ''],
      ["const descriptorList = root.toDescriptor('proto3').file;", ''],
      [
        'const bufferList = descriptorList.map(value => Buffer.from(descriptor.FileDescriptorProto.encode(value).finish()));',
        'const bufferList = [];',
      ],
      ["const messageDescriptor = message.toDescriptor('proto3');", ''],
      ['type: messageDescriptor.$type.toObject(messageDescriptor, descriptorOptions)', 'type: {}'],
      ["const enumDescriptor = enumType.toDescriptor('proto3');", ''],
      ['type: enumDescriptor.$type.toObject(enumDescriptor, descriptorOptions)', 'type: {}'],
    ],
  },
  {
    // Proxies are asked over http, which brings all of Node's web client with it.
    file: /\/@grpc\/grpc-js\/build\/src\/http_proxy\.js$/,
    parts: [
      [
        'const http = require("http");',
        'const http = { request: (...args) => require("http").request(...args) };',
      ],
    ],
  },
  {
    file: /\/node_modules\/(cliui|wrap-ansi)\/node_modules\/string-width\/index\.js$/,
    parts: [segmenterOnUse],
  },
  {
    // The set of all emoji takes half as long again; each of them has a character beyond ASCII that is one by itself, or
    // a keycap (UTS #51).
    file: /(?<!\/(cliui|wrap-ansi))\/node_modules\/string-width\/index\.js$/,
    parts: [
      segmenterOnUse,
      [
        'const rgiEmojiRegex = /^\\p{RGI_Emoji}$/v;',
        "let emoji; const rgiEmojiRegex = { test: text => /[[\\p{Emoji}--\\p{ASCII}]\\u20E3]/v.test(text) && (emoji ??= new RegExp('^\\\\p{RGI_Emoji}$', 'v')).test(text) };",
      ],
    ],
  },
]

const rewriting = ({ file, parts }: Rewriting, used: () => void): Plugin => ({
  name: String(file),
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.js$/ }, async ({ path }) => {
      if (!file.test(path)) return undefined
      used()
      const text = await readFile(path, 'utf8')
      return { contents: parts.reduce((changed, [what, by]) => replaced(changed, what, by), text) }
    })
  },
})

/** Packages that tell their version read it from their manifest, with all that npm wants to know of them. */
const versionsOnly: Plugin = {
  name: 'versions only',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\/package\.json$/ }, async ({ path }) => {
      const { name, version } = JSON.parse(await readFile(path, 'utf8')) as { name: string; version: string }
      return { contents: JSON.stringify({ name, version }), loader: 'json' }
    })
  },
}

function replaced(text: string, what: string, by: string): string {
  const parts = text.split(what)
  if (parts.length !== 2) throw new Error(`${what} is there ${parts.length - 1} times, and once was expected`)
  return parts.join(by)
}
