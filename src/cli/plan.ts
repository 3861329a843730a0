import { checkDisks } from '../act/disks.js'
import { pausedBy, tooSoonAfter } from '../decide/admission.js'
import { cautions } from '../decide/cautions.js'
import { type Plan, planOf } from '../decide/plan.js'
import { recall } from '../hold.js'
import type { Coordination, Memory, Pause } from '../model/coordination.js'
import { faultOf } from '../model/fault.js'
import type { ClusterView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { exitCodeOf, type Verdict } from '../model/verdict.js'
import { planJson } from '../report/json.js'
import { planText } from '../report/planText.js'
import { colorsFor } from '../report/text.js'
import { PauseFile } from '../system/pauseFile.js'
import type { Command } from './command.js'
import { connect, coordinationOf, policyOf } from './world.js'

/** `etcd-defrag plan`: one look at the cluster, and what a run would do with it. */
export const planCommand: Command = async ({ config, out, stop }) => {
  const nodePause = await new PauseFile(config.values['state-dir']).read()
  const etcd = await connect(config)
  try {
    const view = await etcd.observe(stop)
    const policy = policyOf(config)
    const { plan, warnings } = await previewOf(view, policy, nodePause, coordinationOf(config, etcd))
    const text =
      config.values.output === 'json'
        ? JSON.stringify(planJson(view, plan, warnings), null, 2)
        : planText(view, plan, warnings, colorsFor(out.colors && out.stdout.isTTY === true))
    out.stdout.write(`${text}\n`)
    return exitCodeOf(plan.verdict)
  } finally {
    etcd.close()
  }
}

type Preview = Readonly<{ plan: Plan; warnings: readonly string[] }>

/** The plan, or the reason why a run would not even begin it. */
async function previewOf(
  view: ClusterView,
  policy: Policy,
  nodePause: Pause | undefined,
  coordination: Coordination,
): Promise<Preview> {
  const memory = await recall(coordination)
  const nothing = (verdict: Verdict): Preview => ({
    plan: { steps: [], leftAlone: [], waits: [], verdict },
    warnings: memory.problems,
  })
  const paused = heldOff(memory, nodePause)
  if (paused !== undefined) return nothing(paused)
  const plan = planOf(view, policy, { earlier: memory.lastRun?.paces ?? [] })
  if (plan.steps.length === 0) return { plan, warnings: memory.problems }
  try {
    const disks = await checkDisks(view, policy)
    const soon = policy.coordinates ? tooSoonAfter(memory.lastRun, Date.now(), policy) : undefined
    if (soon !== undefined) return nothing(soon)
    const waits = plan.waits.map(because => `a run would first wait for this to be over: ${because}`)
    const running = memory.holder === undefined ? [] : [`a run is at work: ${memory.holder}`]
    return { plan, warnings: [...running, ...waits, ...cautions(view, policy), ...disks, ...memory.problems] }
  } catch (error) {
    return nothing({ kind: 'failed', fault: faultOf(error) })
  }
}

const heldOff = (memory: Memory, nodePause: Pause | undefined): Verdict | undefined =>
  pausedBy(nodePause, 'node', Date.now()) ?? pausedBy(memory.pause, 'cluster', Date.now())
