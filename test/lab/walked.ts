import type { UseLiveEntry } from '../../src/backup/bolt/tree.js'
import { Walk, type WalkOptions } from '../../src/backup/bolt/walk.js'
import type { Contents } from '../../src/model/backup.js'

export type Walked = Readonly<{ contents: Contents; hash: number; size: number; passes: number }>

/** Bounded by the depth of a tree (pageTable.ts); more of them are a loop. */
const MOST_PASSES = 70

/** Walks a whole file in pieces of the given size, as often as it takes. Throws `Damage`. */
export function walked(
  file: Buffer,
  { piece = 64 * 1024, ...options }: WalkOptions & { piece?: number } = {},
): Walked {
  const walk = new Walk({ hash: true, ...options })
  for (let passes = 1; ; passes++) {
    if (passes > MOST_PASSES) throw new Error('it takes passes without end')
    for (let at = 0; at < file.length; at += piece) {
      const passing = Buffer.from(file.subarray(at, at + piece))
      walk.update(passing)
      passing.fill(0xee) // as a reader does that uses its buffer again: what is kept must be a copy
    }
    if (!walk.endPass()) return { contents: walk.contents(), hash: walk.hash(), size: walk.size, passes }
  }
}

/** All entries, as lines that are sorted: pages come in no certain order. */
export function entriesOf(file: Buffer, options: WalkOptions = {}): readonly string[] {
  const lines: string[] = []
  const use: UseLiveEntry = ({ path }, key, value) => {
    lines.push(`${path} ${key.toString('hex')} ${value.toString('hex')}`)
  }
  walked(file, { ...options, use })
  return lines.sort()
}
