import { once } from 'node:events'
import { generate, type Plan } from './load.js'

const plan = JSON.parse(process.argv[2] ?? '') as Plan
process.stdin.resume()
const done = await generate(plan, once(process.stdin, 'end'))
process.stdout.write(JSON.stringify(done), () => process.exit())
