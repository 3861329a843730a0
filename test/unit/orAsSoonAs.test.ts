import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { orAsSoonAs } from '../../src/system/etcd/orAsSoonAs.js'

const never = new Promise<never>(() => {})
const refused = async (ms: number) => {
  await sleep(ms)
  throw new Error('not the leader')
}

describe('a call that is over as soon as what it is for is so', () => {
  it('does not wait for its answer', async () => {
    let looks = 0
    await orAsSoonAs(never, async () => ++looks === 3)
    assert.equal(looks, 3)
  })

  it('that is refused at once is refused, though what it is for is so already', async () => {
    await assert.rejects(
      orAsSoonAs(refused(0), async () => true),
      /not the leader/,
    )
  })

  it('is what its answer is, where nobody can look, or looking takes for ever', async () => {
    const cannot = () => Promise.reject(new Error('no answer'))
    await orAsSoonAs(sleep(20), cannot)
    await assert.rejects(orAsSoonAs(refused(20), cannot), /not the leader/)
    await orAsSoonAs(sleep(20), () => never)
  })

  it('leaves alone what is answered later', async () => {
    await orAsSoonAs(refused(30), async () => true)
    await sleep(50) // an error that nobody takes would end the test
  })
})
