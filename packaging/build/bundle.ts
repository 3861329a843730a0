import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { protocolOf } from './protocol.js'
import { root } from './source.js'

/** Where the bundled program finds what lies beside it, seen from its folder dist/src (also in an npm package). */
const ADDON = '../../lzma.node'

/** What is compiled beforehand, and what comes of it, which differs from processor to processor; program.ts loads both. */
export const PROGRAM = 'program.cjs'
export const CODE = 'program.code'

/** What main.js is started with, and what it sets by itself. */
export type Flags = Readonly<{ first: string; own: readonly string[] }>
export type Bundle = Readonly<{ inputs: Metafile['inputs']; flags: Flags }>

/**
 * Bundles the program into `folder`: all that a command may take as one script, and what starts it and the daemon, which
 * lives for months without it, as modules. Throws where a dependency is no longer what the replacements below know.
 */
export async function bundle(folder: string): Promise<Bundle> {
  const changes = rewritings()
  const left = new Set(changes)
  const common = {
    absWorkingDir: root,
    preserveSymlinks: true, // the paths of modules get into the bundle: only those within the tree
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node24',
    charset: 'ascii', // a file with one letter beyond Latin-1 takes twice the memory, and longer to read
    // The names of functions stay, without the code of `keepNames`: a stack in a report of a bug is read by people.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none', // they are in the copyright file
    external: ['*.node'],
    tsconfigRaw: {}, // what is for the compiler alone
    metafile: true,
    logLevel: 'silent',
  } as const satisfies BuildOptions
  const plugins = [...changes.map(change => rewriting(change, () => left.delete(change))), versionsOnly]
  const program = await build({
    ...common,
    entryPoints: { program: 'src/cli/invoke.ts' },
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    supported: { 'dynamic-import': false }, // all of it is in here, and Node's own modules can be required
    define: { 'import.meta.url': 'ownUrl' },
    // Strict, as modules are.
    banner: { js: '(function(module,require,ownUrl){"use strict";' },
    footer: { js: '})' },
    plugins,
  })
  const start = await build({
    ...common,
    entryPoints: ['src/main.ts'],
    splitting: true,
    format: 'esm',
    chunkNames: '[name]-[hash]',
    // CommonJS packages ask for Node's modules by require, which a module has to make for itself.
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
    plugins: [loadsProgram, ...plugins],
  })
  const script = await readFile(join(folder, PROGRAM))
  if (script.some(byte => byte > 0x7f))
    throw new Error(`${PROGRAM} is not ASCII, and would be read as something else`)
  const [unused] = left
  if (unused !== undefined) throw new Error(`no file is ${unused.file} any more`)
  const main = join(folder, 'main.js')
  const text = await readFile(main, 'utf8')
  const [, first] = /^#!\/usr\/bin\/env -S node (--\S+)\n/.exec(text) ?? []
  if (first === undefined) throw new Error('src/main.ts no longer begins with #! and one flag')
  await writeFile(main, text.replace(/^.*/, `#!/usr/lib/etcd-defrag/node ${first}`)) // Linux passes one argument
  if (start.metafile.inputs['packaging/build/program.ts'] === undefined)
    throw new Error('src/cli/cli.ts no longer imports ./invoke.js when it takes it')
  const inputs = { ...program.metafile.inputs, ...start.metafile.inputs }
  return { inputs, flags: { first, own: flagsSetIn(text) } }
}

/** Flags of V8 that main.js, as it is bundled, sets for itself. Throws where it cannot be told. */
function flagsSetIn(main: string): readonly string[] {
  const flags = [...main.matchAll(/setFlagsFromString\("(--[^"]+)"\)/g)].map(([, flag = '']) => flag)
  if (flags.length === 0 || flags.length !== main.split('setFlagsFromString(').length - 1)
    throw new Error('main.js sets flags of V8 that cannot be read there')
  return flags
}

/** In the place of what cli.ts loads for all commands but the daemon. */
const loadsProgram: Plugin = {
  name: 'loads the program',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/invoke\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: join(root, 'packaging/build/program.ts') } : undefined,
    )
  },
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
