import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const demo = join(import.meta.dirname, '../demo.js')

/** The demo with a temporary folder of its own; `use` may end it early. Resolves to what it said and left. */
async function shown(use: (child: ReturnType<typeof spawn>, said: () => string) => void) {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-demo-test-'))
  try {
    const child = spawn(process.execPath, ['--no-deprecation', demo], {
      env: { ...process.env, TMPDIR: folder },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        output += text
        use(child, () => output)
      })
    const [code] = await once(child, 'exit')
    const devices = execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split('\n')
    const left = [...(await readdir(folder)), ...devices.filter(line => line.includes(folder))]
    return { code, output, left }
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the demo', { timeout: 180_000 }, () => {
  test('shows the job and proves the backup, and leaves nothing behind', async () => {
    const { code, output, left } = await shown(() => {})
    assert.equal(code, 0, output)
    assert.match(output, /1280 keys under \/registry, each with the value it had/)
    assert.deepEqual(left, [])
  })

  for (const [moment, pattern] of [
    ['while the members start', /# Three members/],
    ['while they are filled', /# 200 MB/],
    ['in mid-run', /"event":"stepStarted"/],
  ] as const)
    test(`ended ${moment} leaves nothing behind`, async () => {
      let isEnded = false
      const { code, output, left } = await shown((child, said) => {
        if (isEnded || !pattern.test(said())) return
        isEnded = true
        child.kill('SIGINT')
      })
      assert.equal(code, 130, output)
      assert.match(output, /ended by SIGINT, nothing is left of it/)
      assert.deepEqual(left, [])
    })

  test('whose reader leaves ends and leaves nothing behind', async () => {
    const { left } = await shown((child, said) => {
      if (/# 200 MB/.test(said())) child.stdout?.destroy()
    })
    assert.deepEqual(left, [])
  })
})
