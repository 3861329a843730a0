import { architectures } from '../../packaging/build/target.js'
import { isOwn, testThatItRuns } from './runs.js'

for (const architecture of architectures.filter(isOwn)) testThatItRuns(architecture)
