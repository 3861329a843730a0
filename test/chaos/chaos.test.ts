import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRoot } from '../lab/loopDevice.js'
import { drawsOf, wage } from './campaign.js'
import { cases } from './cases.js'
import { draw } from './draw.js'
import { lineOf } from './print.js'

const SEED = 1
const RUNS = 20

test(`whatever is stopped, killed, moved or cut under a run, no write is lost and the invariants hold (seed ${SEED})`, {
  timeout: 600_000,
  skip: isRoot ? false : 'the lock is in /run, and that takes root',
}, async () => {
  const rounds = await wage({
    draws: [...cases.map(({ seed, run }) => draw(seed, run)), ...drawsOf(SEED, 0, RUNS)],
    jobs: 1,
    stop: new AbortController().signal,
    evidence: undefined,
    tell: () => {},
  })
  assert.equal(rounds.length, cases.length + RUNS)
  const violated = rounds.filter(round => round.violations.length > 0)
  assert.equal(violated.length, 0, violated.map(lineOf).join('\n'))
})
