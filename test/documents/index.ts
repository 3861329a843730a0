import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { detailsOf } from '../bench/details.js'
import { documentOf } from '../bench/document.js'
import { reportsIn } from '../bench/find.js'
import { bashCompletion } from './completion/bash.js'
import { fishCompletion } from './completion/fish.js'
import { zshCompletion } from './completion/zsh.js'
import { configExample } from './configExample.js'
import { fileManual, manual } from './manual.js'
import { withTables } from './readme.js'
import { root } from './sources.js'

const RESULTS = 'test/bench/results'
const results = join(root, RESULTS)

/**
 * What is made from the tables of options, commands and exit codes and from the bench's results: `npm run docs` writes it,
 * a test compares it.
 */
export const documents = {
  'README.md': async readme => withTables(readme, await reportsIn(results)),
  'BENCHMARKS.md': async () => documentOf(await reportsIn(results), RESULTS),
  [`${RESULTS}/README.md`]: async () => detailsOf(await reportsIn(results)),
  'packaging/config.yaml': configExample,
  'packaging/man/etcd-defrag.8': manual,
  'packaging/man/etcd-defrag.yaml.5': fileManual,
  'packaging/completion/etcd-defrag.bash': bashCompletion,
  'packaging/completion/_etcd-defrag': zshCompletion,
  'packaging/completion/etcd-defrag.fish': fishCompletion,
} satisfies Record<string, (now: string) => string | Promise<string>>

/** Calls `use` with each document's file, what it holds and what it should hold. */
export async function eachDocument(
  use: (file: string, is: string, shouldBe: string) => Promise<void>,
): Promise<void> {
  for (const [file, make] of Object.entries(documents)) {
    const path = join(root, file)
    const is = await readFile(path, 'utf8').catch(() => '') // made for the first time
    await use(path, is, await make(is))
  }
}

export const write = (): Promise<void> => eachDocument((file, _is, shouldBe) => writeFile(file, shouldBe))
