import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { call } from '../../packaging/build/programs.js'
import { type Architecture, targets } from '../../packaging/build/target.js'
import { Cluster } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { debOf, Unpacked, version } from '../lab/packages.js'

/** What runs a program of a processor that this machine has not. */
const emulatorOf = (architecture: Architecture): readonly string[] =>
  isOwn(architecture)
    ? []
    : [`qemu-${targets[architecture].uname}`, '-L', `/usr/${targets[architecture].triplet}`]

export const isOwn = (architecture: Architecture): boolean => targets[architecture].node === process.arch

/** Tests that what a package holds runs and does the job. */
export function testThatItRuns(architecture: Architecture): void {
  const emulator = emulatorOf(architecture)

  test(`the package for ${architecture} runs from a place that cannot be written to: version, help, each module`, async () => {
    await using unpacked = await Unpacked.of(debOf(architecture))
    await call('chmod', ['-R', 'a-w', unpacked.lib])
    const command = { command: [...emulator, ...unpacked.command] }
    const said = await etcdDefrag(['--version'], command)
    assert.deepEqual([said.stdout, said.stderr], [`${version}\n`, ''])
    assert.match((await etcdDefrag(['--help'], command)).stdout, /backup restore/)
    const each = `const folder = ${JSON.stringify(join(unpacked.lib, 'dist/src/'))}
      const names = (await import('node:fs')).readdirSync(folder).filter(name => name !== 'main.js')
      for (const name of names) await import(folder + name)
      console.log(names.length > 10)`
    const [node = ''] = unpacked.command
    const [program = '', ...rest] = [...emulator, node, '--input-type=module', '-e', each]
    assert.equal(await call(program, rest), 'true\n')
  })

  test(`the package for ${architecture} defragments and backs up a real etcd`, async () => {
    await using unpacked = await Unpacked.of(debOf(architecture))
    await using cluster = await Cluster.start({ size: 1 })
    const archive = join(cluster.folder, 'etcd-backup.xz')
    const flags = ['--force-single', '--no-trim', '--backup-path', archive, '--output', 'json']
    // An emulated processor is a slow one.
    const patience = ['--dial-timeout', '60s', '--command-timeout', '60s', '--settle-timeout', '5m']
    const args = ['run', ...cluster.flags(await cluster.leader()), ...flags, ...patience]
    const ended = await etcdDefrag(args, { command: [...emulator, ...unpacked.command] })
    assert.equal(documentOf(ended).verdict, 'completed', ended.stderr)
    const seen = await etcdDefrag(['backup', 'verify', archive])
    assert.equal(seen.code, 0, seen.stderr)
  })
}
