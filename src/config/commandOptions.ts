import type { Spec } from './spec.js'
import { flag, longDuration, namedUrls, oneOf, orNone, path, peerUrls, revisions, text } from './values.js'

/** Flags that go with some commands only, and are no configuration. */
export const commandOptions = {
  'show-config': {
    commands: ['status'],
    group: 'Output',
    shape: '',
    about: 'every option, its value and where it came from',
    parse: flag,
    fallback: 'false',
  },
  for: {
    commands: ['pause'],
    group: 'Pause',
    shape: 'DURATION',
    about: 'how long; then it ends by itself',
    parse: longDuration,
    fallback: '4h',
  },
  reason: {
    commands: ['pause'],
    group: 'Pause',
    shape: 'TEXT',
    about: 'why, for whoever wonders',
    parse: (value: string) => value.slice(0, 1000),
    fallback: '',
  },
  scope: {
    commands: ['pause', 'resume'],
    group: 'Pause',
    shape: 'cluster|node',
    about: 'every start at this cluster, or those on this node',
    parse: oneOf('cluster', 'node'),
    fallback: 'cluster',
  },
  plan: {
    commands: ['backup restore'],
    group: 'Restore',
    shape: '',
    about: 'print what to do on every node, command by command, and touch nothing',
    parse: flag,
    fallback: 'false',
  },
  name: {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'NAME',
    about: 'which member this node is; known by itself for a single member and on the node of the archive',
    parse: orNone(text),
    fallback: '',
  },
  'initial-cluster': {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'NAME=URL,…',
    about: 'the members to begin with and their peer URLs, instead of those of when the backup was made',
    parse: orNone(namedUrls),
    fallback: '',
  },
  'initial-advertise-peer-urls': {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'URL,…',
    about: "this member's peer URLs, instead of those that the cluster has for its name",
    parse: orNone(peerUrls),
    fallback: '',
  },
  'initial-cluster-token': {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'TOKEN',
    about:
      'the same on all nodes and another one than ever before, instead of one made from the archive; needed when the same archive is restored a second time',
    parse: orNone(text),
    fallback: '',
  },
  'bump-revision': {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'N',
    about: "move the revision forward by so many, so that Kubernetes' watchers see no step back",
    parse: revisions,
    fallback: '1000000000',
  },
  'no-bump-revision': {
    commands: ['backup restore'],
    group: 'Restore',
    shape: '',
    about: 'go on from the revision of the archive',
    parse: flag,
    fallback: 'false',
  },
  'force-no-hash': {
    commands: ['backup restore', 'backup drill', 'backup verify'],
    group: 'Restore',
    shape: '',
    about: "take a file that ends without etcd's SHA-256, such as a copy of a member's own",
    parse: flag,
    fallback: 'false',
  },
  runtime: {
    commands: ['backup restore'],
    group: 'Restore',
    shape: 'static-pod|systemd',
    about: 'what starts etcd on the nodes, for --plan; static-pod where this node has a manifest of etcd',
    parse: orNone(oneOf('static-pod', 'systemd')),
    fallback: '',
  },
  etcdutl: {
    commands: ['backup restore', 'backup drill'],
    group: 'Restore',
    shape: 'FILE',
    about: 'etcdutl or etcdctl to restore with, instead of the one found on this node',
    parse: orNone(path),
    fallback: '',
  },
  etcd: {
    commands: ['backup drill'],
    group: 'Drill',
    shape: 'FILE',
    about: 'etcd to start, instead of the one found on this node',
    parse: orNone(path),
    fallback: '',
  },
  'if-any': {
    commands: ['backup drill'],
    group: 'Drill',
    shape: '',
    about: 'where there is no backup and no earlier one, say so and end with 0',
    parse: flag,
    fallback: 'false',
  },
  'drill-dir': {
    commands: ['backup drill'],
    group: 'Drill',
    shape: 'DIR',
    about:
      'where the database is restored for the time of the drill; beside the archive when it is not given',
    parse: orNone(path),
    fallback: '',
  },
} satisfies Record<
  string,
  Pick<Spec<unknown>, 'shape' | 'about' | 'parse'> & {
    commands: readonly string[]
    group: string
    fallback: string
  }
>
export type CommandOption = keyof typeof commandOptions
export type CommandValues = { readonly [N in CommandOption]: ReturnType<(typeof commandOptions)[N]['parse']> }
export const commandOptionNames = Object.keys(commandOptions) as readonly CommandOption[]
