import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectOften } from '../backup/collectOften.js'
import type { Policy } from '../model/policy.js'
import { exitCodeOf } from '../model/verdict.js'
import type { Event, World } from '../model/world.js'
import { runJson } from '../report/json.js'
// Before it begins, as all else: an upgrade takes the files of this program away in mid-run.
import { colorsFor, summaryText } from '../report/text.js'
import { run } from '../run.js'
import { exec } from '../system/exec.js'
import { hostLock, LOCK_FOLDER } from '../system/hostLock.js'
import { PauseFile } from '../system/pauseFile.js'
import { yieldCpu } from '../system/priority.js'
import type { Command, Console, Context } from './command.js'
import { backupOnly, connect, coordinationOf, policyOf } from './world.js'

/** `etcd-defrag run`: the job itself, told as it goes and reported at the end. */
export const runCommand: Command = context => runAs(context, policyOf(context.config))

/** `etcd-defrag backup create`: the snapshot alone, of whatever member this is, behind the same checks and locks. */
export const createCommand: Command = context => runAs(context, backupOnly(policyOf(context.config)))

async function runAs({ config, out, stop, version }: Context, policy: Policy): Promise<number> {
  collectOften()
  const etcd = await connect(config)
  const tell = politely(unfailing(await listener(out)))
  const world: World = {
    etcd,
    coordination: coordinationOf(config, etcd),
    nodePause: () => new PauseFile(config.values['state-dir']).read(),
    // By the monotonic clock: a clock that is set in mid-run must not end a wait or stretch it.
    now: () => Math.round(performance.timeOrigin + performance.now()),
    sleep: ms => sleep(ms),
    random: Math.random,
    exec,
    host: hostname(),
    tool: `etcd-defrag ${version}`,
    lock: (clusterId, waitMs, signal) => hostLock(`${LOCK_FOLDER}/${clusterId}.lock`, waitMs, signal),
    tell,
  }
  tell({ event: 'started', endpoints: config.values.endpoints, notes: config.notes })
  try {
    const report = await run(world, policy, stop)
    if (config.values.output === 'json') out.stdout.write(`${JSON.stringify(runJson(report), null, 2)}\n`)
    else if (out.stdout.isTTY === true || out.stderr.isTTY === true) {
      const colors = colorsFor(out.colors && out.stdout.isTTY === true)
      out.stdout.write(`${summaryText(report, colors)}\n`)
    }
    return exitCodeOf(report.verdict)
  } finally {
    etcd.close()
  }
}

/** Once etcd's stream is closed nobody waits for us: compressing and verifying leave the cores to whoever wants them. */
const politely = (tell: (event: Event) => void) => {
  let isPolite = false
  return (event: Event): void => {
    if (!isPolite && event.event === 'stepProgress' && event.phase !== 'snapshot') {
      isPolite = true
      yieldCpu()
    }
    tell(event)
  }
}

/** A log that cannot be written, on a full disk for one, must not end a step or take the report with it. */
const unfailing =
  (tell: (event: Event) => void) =>
  (event: Event): void => {
    try {
      tell(event)
    } catch {} // there is nowhere left to say so; exit code and report still tell
  }

/** Live lines on a terminal, events as JSON elsewhere. */
async function listener({ stderr, colors, live, journal }: Console): Promise<(event: Event) => void> {
  if (stderr.isTTY === true) {
    const { terminal } = await import('../report/terminal.js')
    return terminal(stderr, colorsFor(colors), live)
  }
  const { log } = await import('../report/log.js')
  return log(2, journal)
}
