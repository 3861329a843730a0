import type { Flags } from './bundle.js'
import { call } from './programs.js'
import type { Target } from './target.js'

/**
 * Has the Node of a package run `script` and put what V8 compiled of it into `file`: what a `status` takes until it finds
 * nobody, and no more, since all that is in the file is read at each start. The flags are those of the program, since V8
 * takes no code that was made with others; the seed makes the same of the same.
 */
export async function compile(
  target: Target,
  node: string,
  { script, file, flags }: Readonly<{ script: string; file: string; flags: Flags }>,
): Promise<void> {
  const { first, own } = flags
  const command = [...emulatorOf(target), node, '--random-seed=1', first, '--input-type=module', '-e', making]
  const [program = '', ...args] = [...command, '--', script, file, ...own]
  await call(program, args)
}

/** What runs a program of a processor that this machine has not. */
export const emulatorOf = ({ node, uname, triplet }: Target): readonly string[] =>
  node === process.arch ? [] : [`qemu-${uname}`, '-L', `/usr/${triplet}`]

/**
 * The path of the script is where it will be, as it is in what comes of it. Nobody answers at the endpoint, and nothing is
 * seen of an etcd on this machine, so that the same comes of it everywhere.
 */
const making = `
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
const [file, to, ...flags] = process.argv.slice(1)
for (const flag of [...flags, '--no-flush-bytecode']) setFlagsFromString(flag)
const text = readFileSync(file)
const script = new Script(text.toString('latin1'), { filename: '/usr/lib/etcd-defrag/dist/src/program.cjs' })
const module = { exports: {} }
const require = createRequire(file)
const hidden = call => (path, ...rest) => {
  if (!/^\\/(etc|var|run)\\//.test(String(path))) return call(path, ...rest)
  return Promise.reject(Object.assign(new Error('nothing of this machine'), { code: 'ENOENT' }))
}
const files = Object.fromEntries(
  Object.entries(require('node:fs/promises')).map(([name, call]) => [name, typeof call === 'function' ? hidden(call) : call]),
)
const requireBlind = id => (/^(node:)?fs\\/promises$/.test(id) ? files : require(id))
script.runInThisContext()(module, Object.assign(requireBlind, require), pathToFileURL(file).href)
const said = []
const sink = () => new Writable({ write: (chunk, _, done) => { said.push(chunk); done() } })
const code = await module.exports.invoke({
  argv: ['status', '--config', '/dev/null', '--endpoints', 'http://127.0.0.1:1'],
  environment: {},
  version: '',
  out: { stdout: sink(), stderr: sink(), colors: false, live: false, journal: false },
  signals: { stop: new AbortController().signal, take() {} },
  self: [],
  setTimeZone() {},
  monotonicUs: () => 0n,
})
if (code !== 69 || !said.join('').includes('ECONNREFUSED'))
  throw new Error('status ended with ' + code + ': ' + said.join(''))
setFlagsFromString('--flush-bytecode')
const compiled = script.createCachedData()
const sum = Buffer.alloc(4)
sum.writeUInt32LE(crc32(compiled, crc32(text)))
writeFileSync(to, Buffer.concat([compiled, sum]))
process.exit()
`
