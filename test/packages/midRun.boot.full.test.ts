import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../lab/cluster.js'
import { ControlPlane, type PlaneNode } from '../lab/controlPlane.js'
import { isRoot } from '../lab/loopDevice.js'
import type { Machine } from '../lab/machine.js'
import { NEWER, newerDeb } from '../lab/packages.js'
import { first } from '../lab/scene.js'
import { BACKUP, cursorOf, endOf, eventsOf, hurry, install, since, stepsIn, type UnitRun } from './node.js'

describe('in the middle of a run, on the nodes of a control plane', {
  skip: isRoot ? false : 'booting machines takes root',
  timeout: 300_000,
}, () => {
  let plane: ControlPlane
  before(async () => {
    plane = await ControlPlane.start()
    const { machine } = nodeAt(0)
    await install(machine)
    await hurry(machine)
  })
  beforeEach(async () => {
    await plane.fragment(60, 1)
    await plane.moveLeader(nodeAt(0))
  })
  after(() => plane[Symbol.asyncDispose]())
  const nodeAt = (position: number): PlaneNode => first(plane.nodes.slice(position))

  /** Once more where a busy machine was too late to stop the member. */
  async function stoppedInDefragment(): Promise<HeldRun> {
    for (let tries = 0; tries < 5; tries++) {
      const run = await tryToStop()
      await sleep(500) // until an answer that was on its way has come
      if (await run.isDefragmenting()) return run
      await run.resume()
      await plane.fragment(60, 1)
      await plane.moveLeader(nodeAt(0))
    }
    return assert.fail('each defragmentation was over before the member was stopped')
  }

  /** Starts the service, and stops whichever follower is the first to be defragmented, in the middle of that. */
  async function tryToStop(): Promise<HeldRun> {
    const { machine } = nodeAt(0)
    const cursor = await cursorOf(machine)
    // Bash, since its own kill comes before the defragmentation is over.
    const script = `
      pid=$(systemctl show -P MainPID etcd)
      exec 3< <(exec journalctl -u etcd -f -n 0 -o cat)
      echo $! > /run/watch
      while read -r line <&3; do case $line in *'starting defragment'*) kill -STOP $pid; break;; esac; done`
    const followers = plane.nodes.slice(1).map(node => node.machine)
    const watches = followers.map(async follower => {
      await follower.execute(['bash', '-c', script])
      return follower
    })
    await sleep(300) // until both journals are followed
    await machine.sh('systemctl start --no-block etcd-defrag')
    const stopped = await Promise.race(watches)
    for (const follower of followers) await follower.sh('kill $(cat /run/watch) 2>/dev/null || true')
    return new HeldRun(machine, stopped, cursor)
  }
  /** Who holds the lock that runs by hand take too. */
  const lockedBy = (machine: Machine) => machine.sh('lsof -t /run/etcd-defrag/*.lock 2>/dev/null || true')

  test('systemctl stop waits for the defragmentation that etcd would go on with, under the lock', async () => {
    const { machine } = nodeAt(0)
    await using run = await stoppedInDefragment()
    await machine.sh('systemctl stop --no-block etcd-defrag')
    await sleep(1500)
    assert.equal(await run.state(), 'deactivating')
    assert.ok(await run.isDefragmenting())
    const byHand = await machine.execute(['etcd-defrag', 'run', '--force-unhealthy', '--output', 'json'])
    assert.equal(byHand.code, 0, byHand.stderr)
    assert.match(
      JSON.parse(byHand.stdout).reason,
      /another run, process \d+ on this host, is at this cluster/,
    )
    const { events, journal } = await run.resume()
    assert.deepEqual(stepsIn(events), ['defragment done'])
    assert.deepEqual([endOf({ events, journal })['exitCode']], [75])
    assert.equal(await lockedBy(machine), '')
    await machine.sh('systemctl reset-failed')
  })

  test('the unit leaves to a run that was started by hand', async () => {
    const { machine } = nodeAt(0)
    const byHand = machine.execute(['etcd-defrag', 'run', '--pause', '5s', '--output', 'json'])
    await until('the run by hand has the lock', async () => (await lockedBy(machine)) !== '')
    const cursor = await cursorOf(machine)
    await machine.sh('systemctl start etcd-defrag')
    const journal = await since(machine, 'etcd-defrag.service', cursor)
    const { verdict, check } = endOf({ journal, events: eventsOf(journal) })
    assert.deepEqual([verdict, check], ['skipped', 'oneRunner'])
    assert.equal(JSON.parse((await byHand).stdout).verdict, 'completed')
    assert.equal(await machine.sh('stat -c %a /run/etcd-defrag'), '700\n')
  })

  test('an upgrade neither ends nor breaks it', async () => {
    const { machine } = nodeAt(0)
    await using run = await stoppedInDefragment()
    await install(machine, newerDeb())
    assert.equal(await machine.sh('etcd-defrag --version'), `${NEWER}\n`)
    assert.equal(await run.state(), 'activating')
    assert.ok(await run.isDefragmenting())
    const { events, journal } = await run.resume()
    assert.equal(endOf({ events, journal })['verdict'], 'completed', JSON.stringify(events.at(-1)))
    assert.equal(stepsIn(events).at(-1), 'trim done')
    await machine.sh(`xz -t ${BACKUP}`)
    const timer = await machine.show('etcd-defrag.timer', 'ActiveState', 'UnitFileState')
    assert.deepEqual(timer, { ActiveState: 'active', UnitFileState: 'enabled' })
  })
})

/** The service on one machine, while a member on another is stopped in the defragmentation that it asked for. */
class HeldRun implements AsyncDisposable {
  readonly #machine: Machine
  readonly #stopped: Machine
  readonly #cursor: string

  constructor(machine: Machine, stopped: Machine, cursor: string) {
    this.#machine = machine
    this.#stopped = stopped
    this.#cursor = cursor
  }

  async told(): Promise<Pick<UnitRun, 'journal' | 'events'>> {
    const journal = await since(this.#machine, 'etcd-defrag.service', this.#cursor)
    return { journal, events: eventsOf(journal) }
  }

  async isDefragmenting(): Promise<boolean> {
    return stepsIn((await this.told()).events).length === 0
  }

  async state(): Promise<string> {
    return (await this.#machine.show('etcd-defrag', 'ActiveState'))['ActiveState'] ?? ''
  }

  /** Lets the member go on, and waits for the end of the run. */
  async resume(): Promise<Pick<UnitRun, 'journal' | 'events'>> {
    await this[Symbol.asyncDispose]()
    await until('the run has ended', async () => /inactive|failed/.test(await this.state()))
    return this.told()
  }
  /** However the test ends, the cluster is whole again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopped.sh('kill -CONT $(systemctl show -P MainPID etcd)')
  }
}
