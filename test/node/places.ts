import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { documentOf } from '../lab/command.js'
import { type Files, Node, type ShownConfig } from '../lab/node.js'

export const pod = '/etc/kubernetes/manifests/etcd.yaml'
export const pki = '/etc/kubernetes/pki/etcd'
export const debian = '/etc/default/etcd'

type PodOptions = Readonly<{
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  mounts?: Readonly<Record<string, string>>
  probe?: object
}>

/** A static pod as kubeadm writes it; `mounts` maps folders of the container to those of the host. */
export function manifest(
  command: readonly string[],
  { args = [], env = {}, mounts = {}, probe }: PodOptions = {},
): string {
  const names = Object.entries(mounts).map(([inside, host], i) => ({ name: `volume-${i}`, inside, host }))
  const spec = {
    containers: [
      { name: 'other', command: ['sleep', 'infinity'] },
      {
        name: 'etcd',
        livenessProbe: probe,
        command,
        args,
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        volumeMounts: names.map(({ name, inside }) => ({ name, mountPath: inside })),
      },
    ],
    volumes: names.map(({ name, host }) => ({ name, hostPath: { path: host, type: 'DirectoryOrCreate' } })),
  }
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'etcd' }, spec }, null, 2)
}

export async function shown(files: Files): Promise<ShownConfig> {
  await using node = await Node.create(files)
  return await node.showConfig()
}
export const valuesOf = (
  { options }: ShownConfig,
  ...names: readonly string[]
): readonly (string | undefined)[] => names.map(name => options[name]?.value)

/** The lab's certificates where kubeadm and others keep theirs: a file on the node from one in `from`. */
export async function certificates(from: string, places: Readonly<Record<string, string>>): Promise<Files> {
  const files = Object.entries(places).map(async ([path, name]) => [
    path,
    await readFile(join(from, name), 'utf8'),
  ])
  return Object.fromEntries(await Promise.all(files)) as Files
}

/** Runs a plain `status`, which has to reach an etcd with what the node tells. */
export async function reach(files: Files, network?: number): Promise<string> {
  await using node = await Node.create(files, network)
  const ended = await node.etcdDefrag(['status', '--output', 'json'])
  assert.equal(ended.code, 0, ended.stderr)
  return documentOf(ended).members[0].endpoint
}
