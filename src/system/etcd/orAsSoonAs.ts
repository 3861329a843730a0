import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/**
 * Ends as `call` does, or as soon as what it is to bring about is so; where that cannot be asked, as `call` does. An answer
 * that comes later says nothing new, and is left alone.
 */
export async function orAsSoonAs(call: Promise<unknown>, isSo: () => Promise<boolean>): Promise<void> {
  let isAnswered = false
  const answered = call.finally(() => {
    isAnswered = true
  })
  const seen = async (): Promise<unknown> => {
    while (!isAnswered) {
      if (await isSo()) return undefined
      await sleep(POLL_MS)
    }
    return answered
  }
  await Promise.race([answered, seen().catch(() => answered)])
}
