import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../documents/sources.js'

/** What a service is for, when it starts and ends, and what it has of the machine; all else is its sandbox. */
const job =
  /^(Type|Exec\w+|Timeout\w+|KillMode|Restart\w*|WatchdogSec|NotifyAccess|RuntimeDirectory\w*|StateDirectory|Nice|Slice|CPUWeight|IO\w+|OOMScoreAdjust)$/

type Sandbox = Readonly<Record<string, readonly string[]>>

/** Where it differs from that of etcd-defrag.service, and is meant to; no values where it has none. */
const meant: Readonly<Record<string, Sandbox>> = {
  'etcd-defrag-drill.service': {
    TemporaryFileSystem: ['/run:ro'],
    CapabilityBoundingSet: ['CAP_DAC_OVERRIDE CAP_SYS_PTRACE'],
    ProcSubset: ['pid'],
    PrivateNetwork: ['yes'],
    IPAddressDeny: ['any'],
    RestrictAddressFamilies: ['AF_UNIX AF_NETLINK'],
    SystemCallFilter: ['@system-service @pkey', '~@privileged @resources', 'setpriority ioprio_set capset'],
  },
  'etcd-defrag-daemon.service': {
    RestrictAddressFamilies: ['AF_INET AF_INET6 AF_UNIX'],
    TemporaryFileSystem: ['/run:ro'],
    BindPaths: ['/run/etcd-defrag'],
    BindReadOnlyPaths: [
      '/run/systemd/notify',
      '-/run/systemd/resolve -/run/resolvconf -/run/NetworkManager -/run/netconfig -/run/connman',
    ],
    InaccessiblePaths: ['-/run/NetworkManager/private'],
  },
}

const linesOf = async (unit: string): Promise<readonly string[]> => {
  const text = await readFile(join(root, 'systemd', unit), 'utf8')
  const [, service = ''] = text.split('\n[Service]\n')
  return (service.split(/\n\[/)[0] ?? '').split('\n')
}
const nameIn = (line: string): string => /^(\w+)=/.exec(line)?.[1] ?? ''

function sandboxIn(lines: readonly string[]): Sandbox {
  const found: Record<string, readonly string[]> = {}
  for (const line of lines) {
    const name = nameIn(line)
    if (name !== '' && !job.test(name)) found[name] = [...(found[name] ?? []), line.slice(name.length + 1)]
  }
  return found
}

for (const [unit, differences] of Object.entries(meant)) {
  test(`${unit} has the sandbox of etcd-defrag.service but for what is meant, so that no directive is lost`, async () => {
    const [own, nightly] = await Promise.all([linesOf(unit), linesOf('etcd-defrag.service')])
    assert.ok(Object.keys(sandboxIn(nightly)).length > 20)
    assert.deepEqual(sandboxIn(own), { ...sandboxIn(nightly), ...differences })
  })

  test(`${unit} has the reason above each directive in which it differs`, async () => {
    const lines = await linesOf(unit)
    for (const [i, line] of lines.entries()) {
      if (!(nameIn(line) in differences)) continue
      const above = lines.slice(0, i).findLast(other => !(nameIn(other) in differences))
      assert.match(above ?? '', /^# /, line)
    }
  })
}
