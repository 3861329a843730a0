import { once } from 'node:events'
import { connect } from 'node:net'

/** Whether a connection to the host and port of `url` is accepted within `timeoutMs`. Never throws. */
export async function isListening(url: string, timeoutMs: number): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) })
    return true
  } catch {
    return false // refused, or no answer in time: either way nobody is there
  } finally {
    socket.destroy()
  }
}
