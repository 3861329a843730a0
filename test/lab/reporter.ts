import type { Transform } from 'node:stream'
import type { TestEvent } from 'node:test/reporters'
import { spec } from 'node:test/reporters'

type Events = AsyncGenerator<TestEvent, void>

/** node:test's own `spec` report, and as last line how many tests passed, failed and were skipped. */
export default async function* reporter(source: Events): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const view = new spec()
  const lines: string[] = []
  view.on('data', chunk => lines.push(String(chunk)))
  for await (const event of source) {
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      const isSuite = event.data.details.type === 'suite'
      const isSkipped = event.data.skip !== undefined && event.data.skip !== false
      if (isSkipped) counts.skipped += 1
      else if (event.type === 'test:fail' && !isSuite) counts.failed += 1
      else if (!isSuite) counts.passed += 1
    }
    ;(view as Transform).write(event)
    yield* lines.splice(0)
  }
  ;(view as Transform).end()
  yield* lines.splice(0)
  yield `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`
}
