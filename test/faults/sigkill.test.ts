import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { mulberry32 } from '../lab/random.js'
import { Scene } from '../lab/scene.js'

const RUNS = 20

test('a run that is killed (SIGKILL) at any instant: the next one tidies up after it and does the whole job', {
  timeout: 600_000,
}, async t => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  t.diagnostic(`SEED=${seed}`)
  const random = mulberry32(seed)
  await using scene = await Scene.set({ megabytes: 8 })
  const from = performance.now()
  assert.equal((await scene.run()).verdict, 'completed')
  const usually = performance.now() - from
  for (let i = 0; i < RUNS; i++) {
    const killed = await scene.startOnLeader()
    // Half of its time goes by before it says anything; the later instants are the ones of interest.
    const after = usually * (0.2 + 0.8 * random())
    await Promise.race([sleep(after), killed.ended])
    killed.kill('SIGKILL')
    const { code, signal } = await killed.ended
    const next = await scene.run()
    const what = `SEED=${seed}, run ${i} killed after ${Math.round(after)} ms (${signal ?? code})`
    assert.equal(next.verdict, 'completed', `${what}: ${next.reason}\n${killed.stderr()}`)
  }
  await scene.judge()
})
