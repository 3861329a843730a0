import { clearLine, cursorTo } from 'node:readline'
import { bytes, percent, shown } from './format.js'
import type { Screen } from './terminal.js'

const EVERY_MS = 100

/** One line of a terminal that tells how far reading a file is, and is gone afterwards. */
export class Gauge implements Disposable {
  readonly #screen: Screen
  readonly #what: string
  #shownAt = 0
  #isShown = false

  constructor(screen: Screen, what: string) {
    this.#screen = screen
    this.#what = what
  }

  show(pass: number, done: number, of: number): void {
    const now = Date.now()
    if (now - this.#shownAt < EVERY_MS) return
    this.#shownAt = now
    const width = Math.max(20, (this.#screen.columns || 80) - 1)
    const times = pass === 1 ? '' : `, pass ${pass}`
    const detail = ` ${percent(done, of)} % of ${bytes(of)}${times}`
    this.erase()
    this.#isShown = true
    this.#screen.write(`${shown(this.#what, Math.max(10, width - detail.length))}${detail}`.slice(0, width))
  }

  erase(): void {
    if (!this.#isShown) return
    this.#isShown = false
    cursorTo(this.#screen, 0)
    clearLine(this.#screen, 0)
  }

  [Symbol.dispose](): void {
    this.erase()
  }
}
