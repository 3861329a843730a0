import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Cluster, programOf } from '../lab/cluster.js'
import { now } from './measured.js'
import type { Part } from './part.js'
import { bytes, type Cell, ms } from './report.js'
import { inTurn, summaryOf } from './statistics.js'
import { env, type Program } from './tools.js'

const run = promisify(execFile)

type Start = Readonly<{ name: string; command: readonly string[] }>

export const startup: Part = {
  title: 'Start-up',
  about:
    'From the start of the process to its end, in turns, after one start of each that does not count. `status` asks three members with mutual TLS. From the built files on this Node, and from the unpacked package on the Node within it where there is one.',
  async measure(context) {
    const { suite, repeat, isQuick } = context
    await using packaged = await Unpacked.of(context.packages)
    await using cluster = await Cluster.start({ suite })
    const [local] = cluster.members
    if (local === undefined) throw new Error('no member')
    const etcdctl = programOf(suite, 'etcdctl')
    const tls = cluster.client && [
      `--cacert=${cluster.client.ca}`,
      `--cert=${cluster.client.cert}`,
      `--key=${cluster.client.key}`,
    ]
    const endpoints = `--endpoints=${cluster.members.map(({ clientUrl }) => clientUrl).join(',')}`
    const ofProgram = (name: string, program: Program): Start[] => [
      { name: `${name} --version`, command: [...program, '--version'] },
      { name: `${name} --help`, command: [...program, '--help'] },
      { name: `${name} status`, command: [...program, 'status', ...cluster.flags(local)] },
    ]
    const starts: Start[] = [
      { name: 'bare node', command: [process.execPath, '-e', '0'] },
      ...ofProgram('built', context.program),
      ...(packaged.node === undefined
        ? []
        : [{ name: 'bare node of the package', command: [packaged.node, '-e', '0'] }]),
      ...(packaged.program === undefined ? [] : ofProgram('packaged', packaged.program)),
      { name: 'etcdctl version', command: [etcdctl, 'version'] },
      {
        name: 'etcdctl endpoint status',
        command: [etcdctl, endpoints, ...(tls ?? []), 'endpoint', 'status'],
      },
    ]
    const times = new Map<Start, number[]>(starts.map(start => [start, []]))
    const rounds = isQuick ? repeat : repeat * 5 // a start takes no time to speak of
    for (let n = -1; n < rounds; n++)
      for (const start of inTurn(starts, n + 1)) {
        const tookMs = timeOf(start)
        if (n >= 0) times.get(start)?.push(tookMs)
      }
    const { length } = starts
    return {
      tables: [
        {
          title: 'From start to end: medians (and ranges)',
          columns: ['command', 'time'],
          rows: starts.map((start): Cell[] => [start.name, ms(times.get(start) ?? [])]),
        },
        ...(packaged.sizes.length === 0
          ? []
          : [
              {
                title: 'The packages',
                columns: ['file', 'size'],
                rows: packaged.sizes.map(([name, size]): Cell[] => [name, bytes([size])]),
              },
            ]),
      ],
      plots: [
        {
          name: 'startup',
          title: 'From start to end',
          x: {
            label: 'command, in the order of the table',
            scale: 'linear',
            names: Array.from({ length }, (_, i) => String(i + 1)),
          },
          y: { label: 'ms', scale: 'linear' },
          series: [
            {
              name: 'time',
              isLine: false,
              points: starts.map((start, x) => {
                const { median, min, max } = summaryOf(times.get(start) ?? [])
                return { x, y: median, low: min, high: max, label: start.name }
              }),
            },
          ],
        },
      ],
      notes: packaged.program === undefined ? ['There were no packages: npm run package makes them.'] : [],
      trials: starts.map(start => ({ ...start, times: times.get(start) })),
    }
  },
}

function timeOf({ name, command: [program = '', ...args] }: Start): number {
  const from = now()
  const { status, stderr } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...env(), ETCDCTL_API: '3' },
  })
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`)
  return now() - from
}

/** This machine's package, unpacked aside and not installed. */
class Unpacked implements AsyncDisposable {
  readonly #folder: string | undefined
  readonly node: string | undefined
  readonly program: Program | undefined
  readonly sizes: readonly (readonly [string, number])[]

  private constructor(folder?: string, entry?: string, sizes: Unpacked['sizes'] = []) {
    this.#folder = folder
    this.sizes = sizes
    if (folder === undefined || entry === undefined) return
    this.node = join(folder, 'usr/lib/etcd-defrag/node')
    this.program = [this.node, join(folder, 'usr/bin', entry)]
  }

  static async of(packages: string): Promise<Unpacked> {
    const files = (await readdir(packages).catch(() => [])).filter(name => /\.(deb|rpm)$/.test(name))
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    const deb = files.find(name => name.endsWith(`_${architecture}.deb`))
    if (deb === undefined) return new Unpacked()
    const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-unpacked-'))
    try {
      await run('dpkg-deb', ['-x', join(packages, deb), folder])
      const sizes = await Promise.all(
        files.map(async name => [name, (await stat(join(packages, name))).size] as const),
      )
      return new Unpacked(folder, await readlink(join(folder, 'usr/bin/etcd-defrag')), sizes)
    } catch (error) {
      await rm(folder, { recursive: true })
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true })
  }
}
