import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OwnFile, writeGathered } from '../../src/backup/files.js'
import { noise, pieces, temporary } from './fixtures.js'

const MIB = 1024 * 1024

async function readAll(file: OwnFile): Promise<Buffer> {
  const read: Buffer[] = []
  for await (const chunk of file.read()) read.push(Buffer.from(chunk))
  return Buffer.concat(read)
}

describe('a file under way', () => {
  it('is read while it is written, to its last byte', async () => {
    await using folder = await temporary()
    await using file = await OwnFile.create(join(folder.path, 'etcd.xz'), 'partial')
    const sent = noise(3 * MIB + 17)
    let written = 0
    const read: Buffer[] = []
    const filling = file.fill(async write => {
      for (const piece of pieces(sent, [1, MIB, 4096, 300_000])) {
        await write(piece)
        written += piece.length
        assert.equal(file.bytes, undefined)
        while (Buffer.concat(read).length < written) await sleep(1) // for ever, where a reader is not woken
      }
    })
    for await (const chunk of file.read()) read.push(Buffer.from(chunk))
    await filling
    assert.ok(Buffer.concat(read).equals(sent))
    assert.equal(file.bytes, sent.length)
  })

  it('is read to where a failure stopped the writing', async () => {
    await using folder = await temporary()
    await using file = await OwnFile.create(join(folder.path, 'etcd.xz'), 'partial')
    const lost = new Error('lost')
    const filling = file.fill(async write => {
      await write(Buffer.from('some'))
      await sleep(20)
      throw lost
    })
    const [read, filled] = await Promise.allSettled([readAll(file), filling])
    assert.equal(read.status === 'fulfilled' && read.value.toString(), 'some')
    assert.equal(filled.status === 'rejected' && filled.reason, lost)
  })

  for (const size of [0, 1, MIB - 1, MIB, 2 * MIB + 5])
    it(`holds ${size} bytes that came in pieces`, async () => {
      await using folder = await temporary()
      await using file = await OwnFile.create(join(folder.path, 'etcd.xz'), 'spool')
      const sent = noise(size)
      async function* source() {
        yield* pieces(sent, [32_768])
      }
      await writeGathered(file, source())
      assert.ok((await readAll(file)).equals(sent))
    })
})
