import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { OnNode, Runbook, Way } from '../../src/restore/onNodes.js'
import { archive } from '../lab/archives.js'
import { Cluster, type LabMember, programOf, until } from '../lab/cluster.js'
import { built, documentOf, etcdDefrag } from '../lab/command.js'
import { clientOf, fragment } from '../lab/fill.js'
import { isRoot } from '../lab/loopDevice.js'
import { describeArchive } from '../lab/provenance.js'

const run = promisify(execFile)

/**
 * A node for a shell: its own /root, /etc and processes, the programs of the lab, and a folder of its own where all nodes
 * have their data. What is written in /root and /etc is gone with it.
 */
const node = `set -e
folder=$1 programs=$2 data=$3
for dir in root etc; do
  mkdir -p "$folder/$dir.upper" "$folder/$dir.work"
  mount -t overlay -o "lowerdir=/$dir,upperdir=$folder/$dir.upper,workdir=$folder/$dir.work" overlay "/$dir"
done
mount --bind "$programs" /usr/local/bin
mount --bind "$folder/data" "$data"
mkdir -p /etc/kubernetes/manifests
for pod in kube-apiserver kube-scheduler other; do echo $pod > /etc/kubernetes/manifests/$pod.yaml; done
printf '    - %s\\n' etcd --initial-cluster=m9=https://old:2380 --name=m9 > /etc/kubernetes/manifests/etcd.yaml
set +e
exec sh -e`

describe('the runbook', { timeout: 180_000, skip: isRoot ? false : 'its nodes take root' }, () => {
  let cluster: Cluster
  let file: string
  let programs: string
  let data: string
  let keys: Map<string, string>
  let startedAt: number
  before(async () => {
    cluster = await Cluster.start({ tls: false })
    startedAt = Date.now()
    keys = await fragment(cluster, 10)
    file = join(cluster.folder, "an operator's backup.xz") // a shell must not trip over it
    await archive(cluster, file)
    await describeArchive(cluster, file)
    programs = join(cluster.folder, 'programs')
    data = join(cluster.folder, 'of every node')
    await Promise.all([mkdir(programs), mkdir(data)])
    const shims = {
      'etcd-defrag': built.join(' '),
      etcdutl: programOf('trixie', 'etcdutl'),
      etcdctl: programOf('trixie', 'etcdctl'),
    }
    for (const name of ['etcdutl', 'etcdctl'] as const) await run('cp', [shims[name], programs])
    await writeFile(join(programs, 'etcd-defrag'), `#!/bin/sh\nexec ${shims['etcd-defrag']} "$@"\n`, {
      mode: 0o755,
    })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const plan = async (...args: readonly string[]): Promise<Runbook> => {
    const all = ['backup', 'restore', file, '--plan', '--data-dir', join(data, 'etcd'), ...args]
    const ended = await etcdDefrag([...all, '--output', 'json'])
    assert.equal(ended.code, 0, ended.stderr)
    return documentOf(ended) as Runbook
  }
  const stepOf = (way: Way | undefined, title: RegExp): readonly OnNode[] =>
    way?.steps.find(step => title.test(step.title))?.nodes ?? []
  const commandsFor = (name: string, nodes: readonly OnNode[]): readonly string[] =>
    nodes.find(on => on.node === name)?.commands ?? []
  const folderOf = async ({ name }: LabMember): Promise<string> => {
    const folder = join(cluster.folder, `node-${name}`)
    await mkdir(join(folder, 'data'), { recursive: true })
    return folder
  }
  /** Pastes the lines into a shell on the member's node. */
  const paste = async (member: LabMember, lines: readonly string[]): Promise<string> => {
    const own = [
      '--mount',
      '--propagation',
      'private',
      '--pid',
      '--fork',
      '--mount-proc',
      '--kill-child',
      '--',
    ]
    const shell = ['sh', '-c', node, 'sh', await folderOf(member), programs, data]
    const child = run('unshare', [...own, ...shell])
    child.child.stdin?.end(`${lines.join('\n')}\n`)
    const { stdout, stderr } = await child.catch(error => {
      throw new Error(`${lines.join('\n')}\nended with ${error.code}:\n${error.stdout}${error.stderr}`)
    })
    return `${stdout}${stderr}`
  }

  test('has no line that a shell does not take', async () => {
    for (const runtime of ['static-pod', 'systemd'] as const) {
      const { ways } = await plan('--runtime', runtime)
      const lines = ways.flatMap(way => way.steps.flatMap(step => step.nodes.flatMap(on => on.commands)))
      assert.ok(lines.length > 20)
      await Promise.all([...new Set(lines)].map(line => run('sh', ['-n', '-c', line])))
    }
  })

  test('to replace one member works as it stands', async () => {
    const [m1, , m3] = cluster.members
    assert.ok(m1 && m3)
    const { ways } = await plan('--runtime', 'systemd')
    const way = ways.find(({ title }) => title === 'Replace m3 alone')
    await cluster.kill(m3)
    await rename(join(m3.dataDir, 'member'), join(m3.dataDir, 'member.lost'))
    await until('the others serve', () =>
      cluster.leader(cluster.members.filter(m => m !== m3)).then(
        () => true,
        () => false, // not yet elected
      ),
    )
    // etcd adds no member until its peers have been connected for 5 s (etcd: server.go, HealthInterval).
    await sleep(Math.max(0, startedAt + 7_000 - Date.now()))
    const [tell] = stepOf(way, /Tell the others/)
    assert.match(await paste(m1, tell?.commands ?? []), /removed from cluster.*Member +[0-9a-f]+ added/s)
    const [told = ''] = commandsFor('m3', stepOf(way, /Start m3/))
    const variables = await paste(m1, [told, 'tail -n 2 /etc/default/etcd'])
    const [, initial, state] =
      /^ETCD_INITIAL_CLUSTER=(\S+)\nETCD_INITIAL_CLUSTER_STATE=(\S+)\n$/.exec(variables) ?? []
    const { ways: pods } = await plan('--runtime', 'static-pod')
    const pod = pods.find(({ title }) => title === 'Replace m3 alone')
    const lines = [/Stop/, /Start m3/].flatMap(title => commandsFor('m3', stepOf(pod, title)))
    const moved = lines.filter(line => !line.startsWith('mv ') && !line.startsWith('until kubectl'))
    assert.equal(
      await paste(m1, [
        ...moved,
        'ls /etc/kubernetes/manifests | wc -l',
        'cat /etc/kubernetes/manifests/etcd.yaml',
      ]),
      `4\n    - etcd\n    - --initial-cluster=${initial}\n    - --initial-cluster-state=${state}\n    - --name=m9\n`,
    )
    await cluster.restart(m3, [`--initial-cluster=${initial}`, `--initial-cluster-state=${state}`])
    const list = await paste(m1, commandsFor(tell?.node ?? '', stepOf(way, /Check etcd/)).slice(0, 1))
    assert.equal(list.match(/, started, m\d, /g)?.length, 3, list)
  })

  test('for all nodes brings the cluster back as it stands', async () => {
    const { ways, token } = await plan('--runtime', 'static-pod')
    const [way] = ways
    await Promise.all(cluster.members.map(member => cluster.kill(member)))
    for (const member of cluster.members) {
      const place = join(await folderOf(member), 'data')
      await rename(member.dataDir, join(place, 'etcd'))
      const titles = [/Check the archive/, /Stop etcd/, /Restore on/, /Start etcd/, /Start the control plane/]
      const lines = titles.flatMap(title => commandsFor(member.name, stepOf(way, title)))
      assert.equal(lines.length, 8)
      const manifests = 'ls /etc/kubernetes/manifests | tr "\\n" " "; echo'
      // There is no kubectl, and no API server to ask.
      const said = await paste(member, [
        ...lines.slice(0, 4),
        manifests,
        ...lines.slice(4).filter(line => !line.startsWith('until kubectl')),
        manifests,
      ])
      assert.match(said, /backup\.xz: OK\n/)
      assert.doesNotMatch(said, /pgrep/)
      assert.match(said, /^other\.yaml $/m)
      assert.match(said, /^etcd\.yaml kube-apiserver\.yaml kube-scheduler\.yaml other\.yaml $/m)
      assert.ok(said.includes(`token ${token}`))
      const [restored, aside] = (await readdir(place)).toSorted()
      assert.deepEqual(
        [restored, aside?.replace(/\d{8}T\d{6}Z/, 'TIME')],
        ['etcd', 'etcd.before-restore-TIME'],
      )
      await rename(join(place, 'etcd'), member.dataDir)
    }
    await Promise.all(cluster.members.map(member => cluster.restart(member)))
    const { ways: others } = await plan('--runtime', 'systemd')
    const [health] = stepOf(others[0], /Check etcd/)
    const [m1] = cluster.members
    assert.ok(m1)
    const said = await paste(m1, health?.commands.slice(0, 1) ?? [])
    assert.equal(said.match(/is healthy/g)?.length, 3, said)
    const client = await clientOf(cluster)
    const now = new Map(Object.entries(await client.getAll().prefix('/registry/').strings()))
    client.close()
    assert.deepEqual(now, keys)
  })

  test('for other nodes makes a cluster of them, each with its own command', async () => {
    const { ways, cluster: members } = await plan(
      ...[
        '--initial-cluster',
        'n1=https://[fd00::1]:2380,n2=https://n2.example:2380',
        '--runtime',
        'static-pod',
      ],
    )
    const [way] = ways
    assert.equal(way?.title, 'Move the cluster to new nodes')
    assert.deepEqual(
      members.map(({ name }) => name),
      ['n1', 'n2'],
    )
    const [copy] = stepOf(way, /Copy/)
    assert.match(copy?.commands[0] ?? '', /^ssh root@fd00::1 'mkdir -p /)
    assert.match(copy?.commands[1] ?? '', /^scp .*'root@\[fd00::1\]:/)
    const [restore] = commandsFor('n2', stepOf(way, /Restore on/))
    assert.match(restore ?? '', /--name n2 .*--initial-advertise-peer-urls https:\/\/n2\.example:2380 /)
  })

  test('has the flags that it was asked for in each command, and refuses what a restore would', async () => {
    const flags = ['--etcdutl', '/opt/an etcdutl', '--force-no-hash', '--no-bump-revision']
    const { ways } = await plan(...flags, '--initial-cluster-token', 'again')
    for (const { commands } of stepOf(ways[0], /Restore on/))
      assert.match(
        commands[0] ?? '',
        / --initial-cluster-token again --no-bump-revision --force-no-hash --etcdutl '\/opt\/an etcdutl'$/,
      )
    const bare = join(cluster.folder, 'bare.db')
    await run('cp', [join(cluster.members[0]?.dataDir ?? '', 'member/snap/db'), bare])
    const args = ['backup', 'restore', bare, '--plan', '--initial-cluster', 'm1=http://127.0.0.1:1']
    const ended = await etcdDefrag(args)
    assert.equal(ended.code, 65, ended.stderr)
    assert.match(ended.stderr, /ends without etcd's SHA-256/)
    assert.equal((await etcdDefrag([...args, '--force-no-hash'])).code, 0)
  })

  test('needs neither a program of etcd nor the data directory, and says for people what it says for programs', async () => {
    const { ways } = await plan()
    const args = ['backup', 'restore', file, '--plan', '--data-dir', join(data, 'etcd')]
    const { code, stdout, stderr } = await etcdDefrag(args)
    assert.deepEqual([code, stderr], [0, ''])
    for (const line of ways.flatMap(way => way.steps.flatMap(step => step.nodes.flatMap(on => on.commands))))
      assert.ok(stdout.includes(`       ${line}\n`) || stdout.endsWith(`       ${line}\n`), line)
    await until('nothing was written', async () => (await readdir(data)).length === 0)
    assert.ok((await readFile(file)).length > 0)
  })
})
