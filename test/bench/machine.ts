import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { availableParallelism, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { programOf } from '../lab/cluster.js'
import type { Context } from './part.js'

const run = promisify(execFile)

/** What the figures depend on. */
export type Machine = Readonly<{
  cpu: string
  cores: number
  memoryBytes: number
  kernel: string
  /** The file system of the folder for temporary files, where what has no disk of its own lies. */
  disk: string
  /** What was measured, and the Node that it ran on. */
  program: string
  node: string
  etcd: string
  xz: string
  /** Of this repository, and whether its files differ from it. */
  commit: string
  /** The mean number of processes that wanted a core in the minute before (proc(5), loadavg). */
  load: number
}>

/** The machine at hand, as it is now. */
export async function describeMachine({
  suite,
  program: [node, ...first],
  packaged,
}: Pick<Context, 'suite' | 'program' | 'packaged'>): Promise<Machine> {
  const [cpus, load, disk, etcd, xz, own, ownNode] = await Promise.all([
    readFile('/proc/cpuinfo', 'utf8'),
    readFile('/proc/loadavg', 'utf8'),
    run('findmnt', ['--noheadings', '--output', 'FSTYPE,SOURCE', '--target', tmpdir()]),
    run(programOf(suite, 'etcd'), ['--version']),
    run('xz', ['--version']),
    run(node, [...first, '--version']),
    run(node, ['--version']),
  ])
  return {
    cpu: /^model name\s*: (.*)$/m.exec(cpus)?.[1] ?? process.arch,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    disk: disk.stdout.trim().replace(/\s+/, ' on '),
    program: `${packaged === undefined ? 'built' : 'packaged'} etcd-defrag ${own.stdout.trim()}`,
    node: ownNode.stdout.trim().replace(/^v/, ''),
    etcd: /etcd Version: (\S+)/.exec(etcd.stdout)?.[1] ?? 'unknown',
    xz: /liblzma (\S+)/.exec(xz.stdout)?.[1] ?? 'unknown',
    commit: await commit(),
    load: Number.parseFloat(load),
  }
}

/** What earlier parts have written is no change to what is measured. */
async function commit(): Promise<string> {
  const cwd = join(import.meta.dirname, '../../..')
  try {
    const [{ stdout: head }, { stdout: changed }] = await Promise.all([
      run('git', ['rev-parse', '--short=12', 'HEAD'], { cwd }),
      run('git', ['status', '--porcelain', '--untracked-files=no', '--', ':!test/bench/results'], { cwd }),
    ])
    return head.trim() + (changed === '' ? '' : ' with changes')
  } catch {
    return 'unknown' // a copy of the files without their history
  }
}
