import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')

test('npm pack makes a package that installs and runs, units and configuration beside it', {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-install-'))
  try {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
    const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
    const files = packed.files.map(file => file.path)
    assert.deepEqual(
      files.filter(file => file.includes('test')),
      [],
    )
    await run('npm', [
      ...['install', '--global', '--prefix', folder, '--omit=dev', '--ignore-scripts', '--prefer-offline'],
      join(folder, packed.filename),
    ])
    const version = await run(join(folder, 'bin/etcd-defrag'), ['--version'])
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
    const installed = join(folder, 'lib/node_modules/etcd-defrag')
    const unit = await readFile(join(installed, 'systemd/etcd-defrag.service'), 'utf8')
    assert.match(unit, /^ExecStart=\/usr\/bin\/etcd-defrag run$/m)
    assert.match(
      await readFile(join(installed, 'systemd/etcd-defrag.timer'), 'utf8'),
      /^OnCalendar=\*-\*-\* 02:30:00$/m,
    )
    const drill = await readFile(join(installed, 'systemd/etcd-defrag-drill.service'), 'utf8')
    assert.match(drill, /^ExecStart=\/usr\/bin\/etcd-defrag backup drill --if-any$/m)
    assert.match(
      await readFile(join(installed, 'systemd/etcd-defrag-drill.timer'), 'utf8'),
      /^OnCalendar=Sun \*-\*-\* 04:30:00$/m,
    )
    assert.match(await readFile(join(installed, 'packaging/config.yaml'), 'utf8'), /^#backup-path: /m)
    for (const example of await readdir(join(root, 'packaging/examples')))
      await access(join(installed, 'packaging/examples', example))
  } finally {
    await rm(folder, { recursive: true })
  }
})
