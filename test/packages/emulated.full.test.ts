import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call } from '../../packaging/build/programs.js'
import { architectures } from '../../packaging/build/target.js'
import { debOf } from '../lab/packages.js'
import { isOwn, testThatItRuns } from './runs.js'

for (const architecture of architectures.filter(candidate => !isOwn(candidate))) testThatItRuns(architecture)

test('lintian finds nothing in the package for arm64 that is not explained', async () => {
  const found = await call('lintian', ['--allow-root', '--fail-on', 'error,warning', debOf('arm64')])
  assert.equal(found, '')
})
