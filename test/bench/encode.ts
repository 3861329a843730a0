import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import lzma from 'lzma-native'

/** `node encode.js FILE TARGET PRESET THREADS BLOCKBYTES`: what one setting of the bundled liblzma makes of a file. */
const [file = '', target = '', ...settings] = process.argv.slice(2)
const [preset = 0, threads = 1, blockSize = 0] = settings.map(Number)
const CRC64 = 4 // lzma_check in liblzma's lzma/check.h
const options = { preset, threads, check: CRC64, ...(blockSize === 0 ? {} : { blockSize }) }
const encoder = lzma.createStream('easyEncoder', options as object) // its types know neither threads nor block sizes
const source = createReadStream(file, { highWaterMark: 1 << 20 })
source.pipe(encoder)
const out = await open(target, 'w')
for await (const chunk of encoder) await out.write(chunk as Buffer)
await out.sync()
await out.close()
process.exit() // its threads would stay
