import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { Machine } from '../lab/machine.js'
import { debOf, root, version } from '../lab/packages.js'
import { boot, deb, isThere, skip, stateOf } from './admin.js'

type WrittenFile = Readonly<{ path: string; permissions: string; content: string }>
type Snippet = Readonly<{ files: readonly WrittenFile[]; commands: readonly string[] }>

/** What README gives to configuration management, as cloud-init(1) and Cluster API read it. */
async function snippets(): Promise<Readonly<Record<string, Snippet>>> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const found = [...readme.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => parse(text ?? ''))
  const cloudInit = found.find(document => 'runcmd' in document)
  const kubeadm = found.find(document => 'spec' in document)?.spec.kubeadmConfigSpec
  assert.ok(cloudInit && kubeadm, 'README has no such snippet')
  return {
    'cloud-init': { files: cloudInit.write_files, commands: cloudInit.runcmd },
    'Cluster API': { files: kubeadm.files, commands: kubeadm.postKubeadmCommands },
  }
}

/** The files first, then each command by a shell, as cloud-init does. */
async function apply(machine: Machine, { files, commands }: Snippet, checksum: string): Promise<number[]> {
  for (const { path, permissions, content } of files) {
    await machine.write(path, content)
    await machine.sh(`chmod ${permissions} ${path}`)
  }
  const codes = []
  for (const command of commands) {
    const here = command
      .replace(`https://packages.example.org/etcd-defrag_${version}_amd64.deb`, `file://${deb.now}`)
      .replace('SHA256', checksum)
    assert.notEqual(here, command)
    codes.push((await machine.execute(['sh', '-c', here])).code ?? -1)
  }
  return codes
}

const checksumOf = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

for (const [name, snippet] of Object.entries(await snippets()))
  test(`README's snippet for ${name} installs the package with its configuration and starts the timer`, {
    skip,
  }, async () => {
    await using machine = await boot()
    assert.deepEqual(await apply(machine, snippet, await checksumOf(debOf('amd64'))), [0])
    assert.equal(await stateOf(machine, 'etcd-defrag.timer'), 'enabled, active')
    const shown = await machine.sh('etcd-defrag status --show-config --output json')
    assert.deepEqual(JSON.parse(shown).options['backup-keep'], {
      value: '7',
      from: '/etc/etcd-defrag/config.yaml:1 backup-keep',
    })
    assert.equal(await machine.sh('stat -c %a /etc/etcd-defrag/config.yaml'), '600\n')
  })

test('and installs nothing where the package is another one than was meant', { skip }, async () => {
  const snippet = (await snippets())['cloud-init']
  assert.ok(snippet)
  await using machine = await boot()
  assert.notDeepEqual(await apply(machine, snippet, '0'.repeat(64)), [0])
  assert.equal(await isThere(machine, '/usr/bin/etcd-defrag'), false)
})
