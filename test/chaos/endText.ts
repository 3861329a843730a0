import type { Ended } from '../lab/command.js'

/** `0 completed`, `76 stopped settled`, `SIGKILL`. */
export function endText({ code, signal, stdout }: Ended): string {
  if (signal !== null) return signal
  try {
    const report = JSON.parse(stdout) as {
      verdict: string
      check?: string
      fault?: { kind: string; check?: string; call?: string }
    }
    const { verdict, check, fault } = report
    const words = [fault?.kind ?? verdict, fault?.check ?? fault?.call ?? check]
    return [code, ...words.filter(word => word !== undefined)].join(' ')
  } catch {
    return `${code}`
  }
}
