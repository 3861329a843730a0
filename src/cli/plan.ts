import { cautions } from '../decide/cautions.js'
import { type Plan, planOf } from '../decide/plan.js'
import { faultOf } from '../model/fault.js'
import type { ClusterView } from '../model/member.js'
import type { Policy } from '../model/policy.js'
import { exitCodeOf } from '../model/verdict.js'
import { planJson } from '../report/json.js'
import { colorsFor, planText } from '../report/text.js'
import { checkDisks } from '../run.js'
import type { Command } from './command.js'
import { connect, policyOf } from './world.js'

/** `etcd-defrag plan`: one look at the cluster, and what a run would do with it. */
export const planCommand: Command = async ({ config, out, stop }) => {
  const etcd = await connect(config)
  try {
    const view = await etcd.observe(stop)
    const policy = policyOf(config)
    const plan = await previewOf(view, policy)
    const warnings = plan.steps.length === 0 ? [] : cautions(view, policy)
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

/** The plan, or the reason why a run would not even begin it. */
async function previewOf(view: ClusterView, policy: Policy): Promise<Plan> {
  const plan = planOf(view, policy)
  try {
    if (plan.steps.length > 0) await checkDisks(view, policy)
    return plan
  } catch (error) {
    return { steps: [], verdict: { kind: 'failed', fault: faultOf(error) } }
  }
}
