import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { programOf } from '../lab/cluster.js'
import { Arena } from './arena.js'
import { databaseOf } from './database.js'
import { type Measured, measured } from './measured.js'
import type { Context } from './part.js'
import { settle } from './settle.js'
import { inTurn } from './statistics.js'
import { env, etcdctlEnvironment } from './tools.js'

export type EndToEnd = Readonly<{
  tool: string
  wallMs: number
  cpuMs: number
  snapshotBytes: number
  archiveBytes: number
}>

type Way = Readonly<{ name: string; make(arena: Arena, file: string): Promise<Measured> }>

const saved = (name: string, xz: string): Way => ({
  name,
  make(arena, file) {
    const [member] = arena.cluster.members
    const script = `"$0" --endpoints="$1" snapshot save "$2" && ${xz} "$2"`
    const args = [
      '-c',
      script,
      programOf(arena.cluster.suite, 'etcdctl'),
      member?.clientUrl ?? '',
      file.replace(/\.xz$/, ''),
    ]
    return measured('sh', args, etcdctlEnvironment(arena))
  },
})

/** From a member to an archive, ours first, in turns. */
export async function endToEnd({
  suite,
  size,
  seed,
  repeat,
  program,
  say,
}: Context): Promise<readonly EndToEnd[]> {
  const [node, ...first] = program
  const ways: readonly Way[] = [
    {
      name: 'etcd-defrag backup create',
      make({ cluster }, file) {
        const [member] = cluster.members
        if (member === undefined) throw new Error('no member')
        const flags = [...cluster.flags(member), '--backup-path', file, '--output', 'json', '--force-single']
        return measured(node, [...first, 'backup', 'create', ...flags], env())
      },
    },
    ...['xz -f', 'xz -f -T0', 'xz -f -1', 'xz -f -1 -T2'].map(xz =>
      saved(`etcdctl snapshot save, ${xz}`, xz),
    ),
  ]
  const database = await databaseOf({ suite, bytes: size, seed }, say)
  await using arena = await Arena.of({ suite, members: 1, database, databaseBytes: size })
  await arena.cluster.etcdctl(['defrag', '--command-timeout=1h'])
  const snapshotBytes = (await arena.cluster.status())[0]?.Status.dbSize ?? 0
  const all: EndToEnd[] = []
  for (let n = 0; n < repeat; n++)
    for (const { name, make } of inTurn(ways, n)) {
      const file = join(arena.scratch, 'archive.xz')
      await settle()
      const { code, stderr, startedAt, endedAt, cpuMs } = await make(arena, file)
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`)
      const { size: archiveBytes } = await stat(file)
      await rm(file)
      const wallMs = endedAt - startedAt
      all.push({ tool: name, wallMs, cpuMs, snapshotBytes, archiveBytes })
      say(
        `${name}, ${n + 1} of ${repeat}: ${Math.round(wallMs)} ms, ratio ${(snapshotBytes / archiveBytes).toFixed(2)}`,
      )
    }
  return ways.flatMap(({ name }) => all.filter(({ tool }) => tool === name))
}
