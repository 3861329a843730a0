import { spawnSync } from 'node:child_process'
import { Cluster, programOf } from '../lab/cluster.js'
import { built } from '../lab/command.js'
import { now } from './measured.js'
import type { Part } from './part.js'
import { bytes, type Cell, ms } from './report.js'
import { inTurn, pointOf } from './statistics.js'
import { env, type Program } from './tools.js'

type Start = Readonly<{ name: string; command: readonly string[] }>

export const startup: Part = {
  title: 'Start-up',
  about:
    'From the start of the process to its end, in turns, after one start of each that does not count. `status` asks three members of an empty cluster with mutual TLS. From the built files on this Node, and from the unpacked package on the Node within it where there is one.',
  async measure(context) {
    const { suite, repeat, isQuick, packaged } = context
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
      ...ofProgram('built', built),
      ...(packaged === undefined
        ? []
        : [
            { name: 'bare node of the package', command: [packaged.program[0], '-e', '0'] },
            ...ofProgram('packaged', packaged.program),
            {
              // A flag that takes no time, and with which V8 takes no code that was made without it.
              name: 'packaged status, compiled anew',
              command: [
                packaged.program[0],
                '--no-flush-bytecode',
                ...packaged.program.slice(1),
                'status',
                ...cluster.flags(local),
              ],
            },
          ]),
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
        ...(packaged === undefined
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
              points: starts.map((start, x) => ({
                ...pointOf(x, times.get(start) ?? []),
                label: start.name,
              })),
            },
          ],
        },
      ],
      parameters: { repeat: rounds },
      notes: packaged === undefined ? ['There were no packages: npm run package makes them.'] : [],
      trials: starts.map(start => ({ name: start.name, times: times.get(start) })),
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
