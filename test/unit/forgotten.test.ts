import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { World } from '../../src/model/world.js'
import { run } from '../../src/run.js'
import { calm, SimulatedCluster } from './simulatedCluster.js'
import { policy } from './views.js'

/** Of the program, which outlives its runs. */
const stop = new AbortController()

/** A whole run; its world can be had as long as anything else holds it. */
async function worldOfRun(): Promise<WeakRef<World>> {
  const cluster = new SimulatedCluster({ voters: 3, learners: 0, ...calm, noSpace: false, seed: 1 })
  cluster.leadByLocal()
  const world = cluster.worldWith()
  const without = policy({ backupPath: undefined, dataDir: '/nonexistent', trims: false })
  const { verdict } = await run(world, without, stop.signal)
  assert.equal(verdict.kind, 'completed')
  return new WeakRef(world)
}

test('nothing of a run that is over stays in memory', async () => {
  const world = await worldOfRun()
  await turn() // until then a WeakRef that was made or read keeps what it leads to
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  assert.equal(world.deref(), undefined)
  assert.equal(stop.signal.aborted, false)
})
