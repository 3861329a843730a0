import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { flagsSetIn } from '../../packaging/build/bundle.js'
import { emulatorOf } from '../../packaging/build/code.js'
import { call } from '../../packaging/build/programs.js'
import { type Architecture, targets } from '../../packaging/build/target.js'
import { Cluster } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { debOf, Unpacked, version } from '../lab/packages.js'

export const isOwn = (architecture: Architecture): boolean => targets[architecture].node === process.arch

/** Tests that what a package holds runs and does the job. */
export function testThatItRuns(architecture: Architecture): void {
  const emulator = emulatorOf(targets[architecture])

  test(`the package for ${architecture} runs from a place that cannot be written to: version, help, and as it was compiled`, async () => {
    await using unpacked = await Unpacked.of(debOf(architecture))
    await call('chmod', ['-R', 'a-w', unpacked.lib])
    const command = { command: [...emulator, ...unpacked.command] }
    const said = await etcdDefrag(['--version'], command)
    assert.deepEqual([said.stdout, said.stderr], [`${version}\n`, ''])
    assert.match((await etcdDefrag(['--help'], command)).stdout, /backup restore/)
    const folder = join(unpacked.lib, 'dist/src')
    const own = flagsSetIn(await readFile(join(folder, 'main.js'), 'utf8'))
    const taken = `const [folder, ...flags] = process.argv.slice(1)
      for (const flag of flags) v8.setFlagsFromString(flag)
      const [text, cachedData] = ['cjs', 'code'].map(end => fs.readFileSync(path.join(folder, 'program.' + end)))
      console.log(new vm.Script(text.toString('latin1'), { cachedData }).cachedDataRejected)`
    const [node = '', first = ''] = unpacked.command
    const [program = '', ...rest] = [...emulator, node, first, '-e', taken, '--', folder]
    assert.equal(await call(program, [...rest, ...own]), 'false\n')
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
