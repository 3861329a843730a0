import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/**
 * Ends as `call` does, or as soon as what it is to bring about is so; where that cannot be asked, as `call` does. It is not
 * asked at once, so that a call that is refused is told as refused. An answer that comes later says nothing new, and is
 * left alone.
 */
export async function orAsSoonAs(call: Promise<unknown>, isSo: () => Promise<boolean>): Promise<void> {
  let isAnswered = false
  const answered = call.finally(() => {
    isAnswered = true
  })
  const seen = async (): Promise<unknown> => {
    for (;;) {
      await sleep(POLL_MS)
      if (isAnswered) return answered
      if (await isSo()) return undefined
    }
  }
  await Promise.race([answered, seen().catch(() => answered)])
}
