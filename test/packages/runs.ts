import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { emulatorOf } from '../../packaging/build/code.js'
import { call } from '../../packaging/build/programs.js'
import { type Architecture, targets } from '../../packaging/build/target.js'
import { Cluster } from '../lab/cluster.js'
import { documentOf, etcdDefrag } from '../lab/command.js'
import { debOf, Unpacked, version } from '../lab/packages.js'

export const isOwn = (architecture: Architecture): boolean => targets[architecture].node === process.arch

/** Has a start tell on standard error whether V8 rejected code that it was given. */
const tellsOfCode = `
import { syncBuiltinESMExports } from 'node:module'
import vm from 'node:vm'
vm.Script = class extends vm.Script {
  constructor(...args) {
    super(...args)
    process.stderr.write(String(this.cachedDataRejected))
  }
}
syncBuiltinESMExports()`

/** Tests that what a package holds runs and does the job. */
export function testThatItRuns(architecture: Architecture): void {
  const emulator = emulatorOf(targets[architecture])

  test(`the package for ${architecture} runs from a place that cannot be written to: version, help, each module, as it was compiled and without that`, async () => {
    await using unpacked = await Unpacked.of(debOf(architecture))
    await call('chmod', ['-R', 'a-w', unpacked.lib])
    const command = { command: [...emulator, ...unpacked.command] }
    const said = await etcdDefrag(['--version'], command)
    assert.deepEqual([said.stdout, said.stderr], [`${version}\n`, ''])
    const help = await etcdDefrag(['--help'], command)
    assert.match(help.stdout, /backup restore/)
    const each = `const folder = ${JSON.stringify(join(unpacked.lib, 'dist/src/'))}
      const names = (await import('node:fs')).readdirSync(folder).filter(name => /^(?!main).*[.]js$/.test(name))
      for (const name of names) await import(folder + name)
      console.log(names.length > 3)`
    const [own = ''] = unpacked.command
    const [program = '', ...rest] = [...emulator, own, '--input-type=module', '-e', each]
    assert.equal(await call(program, rest), 'true\n')
    // Undefined: V8 was given none.
    const isRejected = async (): Promise<string> => {
      const [node = '', ...rest] = unpacked.command
      const command = [
        ...emulator,
        node,
        '--import',
        `data:text/javascript,${encodeURIComponent(tellsOfCode)}`,
      ]
      const { code, stdout, stderr } = await etcdDefrag(['--help'], { command: [...command, ...rest] })
      assert.deepEqual([code, stdout], [0, help.stdout])
      return stderr
    }
    assert.equal(await isRejected(), 'false')
    const file = join(unpacked.lib, 'dist/src/program.code')
    const whole = await readFile(file)
    await call('chmod', ['-R', 'u+w', unpacked.lib])
    whole.writeUInt8(whole.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1)
    await writeFile(file, whole)
    assert.equal(await isRejected(), 'undefined')
    await rm(file)
    assert.equal(await isRejected(), 'undefined')
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
