import { rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { encoding } from '../../src/backup/xz.js'
import { type Measured, measured } from './measured.js'
import { type Context, MIB } from './part.js'

/**
 * One way to compress: by the liblzma of the package, by the one that comes compiled from npm, or by this machine's xz.
 * `blockBytes` 0 is a single block.
 */
export type Setting = Readonly<{
  by: 'bundled' | 'npm' | 'xz'
  preset: number
  threads: number
  blockBytes: number
}>
export type Outcome = Readonly<{
  setting: Setting
  wallMs: number
  cpuMs: number
  peakMemory: number
  ratio: number
}>

export const nameOf = ({ by, preset, threads, blockBytes }: Setting): string =>
  `${by === 'bundled' ? '' : `${by} `}-${preset} T${threads}${blockBytes === 0 ? '' : ` ${blockBytes / MIB} MiB`}`

export function settingsOf({ isQuick, packaged }: Pick<Context, 'isQuick' | 'packaged'>): readonly Setting[] {
  const presets = isQuick ? [1] : [0, 1, 2, 3, 4, 6]
  const threads = isQuick
    ? [1]
    : [...new Set([1, Math.min(2, availableParallelism()), availableParallelism()])]
  const chosen = encoding()
  const blocks = (preset: number) => (preset === chosen.preset && !isQuick ? [1, 4, 16] : [4])
  const bundled = presets.flatMap(preset =>
    threads.flatMap(count =>
      blocks(preset).map(mib => ({ by: 'bundled', preset, threads: count, blockBytes: mib * MIB }) as const),
    ),
  )
  // With one thread xz has another encoder, which makes a single block.
  const beside = presets.flatMap(preset =>
    threads.map(
      count => ({ by: 'xz', preset, threads: count, blockBytes: count === 1 ? 0 : 4 * MIB }) as const,
    ),
  )
  const { preset, threads: count, blockSize: blockBytes } = chosen
  const npm = packaged === undefined ? [] : [{ by: 'npm', preset, threads: count, blockBytes } as const]
  return [...bundled, ...npm, ...beside]
}

const encode = join(import.meta.dirname, 'encode.js')

/** Compresses `file` once. `as` is what it is started by (nice(1), chrt(1)), `env` says which liblzma is bundled. */
export async function compressed(
  file: string,
  setting: Setting,
  { as = [], env = {} }: Readonly<{ as?: readonly string[]; env?: NodeJS.ProcessEnv | undefined }> = {},
): Promise<Outcome> {
  const target = `${file}.out`
  const { by, preset, threads, blockBytes } = setting
  const command =
    by === 'xz'
      ? ['sh', '-c', `exec xz -${preset} -T${threads} --block-size=${blockBytes} -c "$0" >"$1"`, file, target]
      : [process.execPath, encode, file, target, String(preset), String(threads), String(blockBytes)]
  const [program = '', ...args] = [...as, ...command]
  const ended: Measured = await measured(program, args, { ...process.env, ...env })
  if (ended.code !== 0) throw new Error(`${nameOf(setting)} ended with ${ended.code}: ${ended.stderr}`)
  const [from, to] = await Promise.all([stat(file), stat(target)])
  await rm(target)
  return {
    setting,
    wallMs: ended.endedAt - ended.startedAt,
    cpuMs: ended.cpuMs,
    peakMemory: ended.peakMemory,
    ratio: from.size / to.size,
  }
}
