import { type Option, option, optional } from './spec.js'
import {
  count,
  duration,
  durationOrNone,
  endpoints,
  flag,
  keyPrefix,
  oneOf,
  path,
  secretPath,
  text,
} from './values.js'

/** Every option there is: flags, variables, the file, --help and the documentation are made from this table. */
export const options = {
  endpoints: option({
    group: 'Connection',
    shape: 'URL,…',
    about: 'client URLs of etcd; the first is the local member, the others serve when it does not answer',
    parse: endpoints,
    fallback: 'http://127.0.0.1:2379',
    etcdctl: 'ETCDCTL_ENDPOINTS',
  }),
  cacert: optional({
    group: 'Connection',
    shape: 'FILE',
    about: "certificates of the authorities that sign the members' certificates",
    parse: path,
    etcdctl: 'ETCDCTL_CACERT',
  }),
  cert: optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'client certificate',
    parse: path,
    etcdctl: 'ETCDCTL_CERT',
  }),
  key: optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'key of the client certificate',
    parse: path,
    etcdctl: 'ETCDCTL_KEY',
  }),
  user: optional({
    group: 'Connection',
    shape: 'NAME[:PASSWORD]',
    about: 'etcd user, where authentication is on; defragmenting takes the root role',
    parse: text,
    etcdctl: 'ETCDCTL_USER',
    secret: true,
  }),
  password: optional({
    group: 'Connection',
    shape: 'PASSWORD',
    about: 'password of the user; others can read a command line, so rather use --password-file',
    parse: text,
    etcdctl: 'ETCDCTL_PASSWORD',
    secret: true,
  }),
  'password-file': optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'file whose first line is the password of the user',
    parse: secretPath,
  }),
  'insecure-skip-tls-verify': option({
    group: 'Connection',
    shape: '',
    about: 'accept any certificate from the members; for tests only',
    parse: flag,
    fallback: 'false',
    etcdctl: 'ETCDCTL_INSECURE_SKIP_TLS_VERIFY',
  }),
  'tls-server-name': optional({
    group: 'Connection',
    shape: 'NAME',
    about: "name to look for in the members' certificates instead of the host in the URL",
    parse: text,
  }),
  'dial-timeout': option({
    group: 'Connection',
    shape: 'DURATION',
    about: 'longest wait for a connection',
    parse: duration,
    fallback: '2s',
    etcdctl: 'ETCDCTL_DIAL_TIMEOUT',
  }),
  'command-timeout': option({
    group: 'Connection',
    shape: 'DURATION',
    about: 'longest wait for an answer to anything but Defragment and Snapshot',
    parse: duration,
    fallback: '5s',
    etcdctl: 'ETCDCTL_COMMAND_TIMEOUT',
  }),
  'defrag-timeout': option({
    group: 'Job',
    shape: 'DURATION',
    about: 'longest wait for a Defragment to be answered; etcd does not stop at it, so it is generous',
    parse: duration,
    fallback: '10m',
  }),
  'settle-timeout': option({
    group: 'Job',
    shape: 'DURATION',
    about: 'longest wait for the members to be ready again after a step; then the run stops',
    parse: duration,
    fallback: '1m',
  }),
  pause: option({
    group: 'Job',
    shape: 'DURATION',
    about: 'wait so long between one member and the next',
    parse: durationOrNone,
    fallback: '0s',
  }),
  'min-uptime': option({
    group: 'Job',
    shape: 'DURATION',
    about: 'leave a member to itself until it has been up for so long',
    parse: durationOrNone,
    fallback: '30s',
  }),
  'max-stall': option({
    group: 'Job',
    shape: 'DURATION',
    about:
      "do not defragment a member that would be out for longer; less than the liveness probe of kubeadm's static pod bears, where there is one",
    parse: duration,
    fallback: '1m',
  }),
  disarm: option({
    group: 'Job',
    shape: '',
    about: 'take NOSPACE alarms back once their members are below their quota',
    parse: flag,
    fallback: 'true',
  }),
  backup: option({
    group: 'Backup',
    shape: '',
    about: 'write a verified backup of the local member',
    parse: flag,
    fallback: 'true',
  }),
  'backup-path': option({
    group: 'Backup',
    shape: 'FILE',
    about:
      'where the backup goes, to be replaced only by a verified one, and the one that is looked at where no FILE is named',
    parse: path,
    fallback: '/root/etcd-backup.xz',
  }),
  'backup-keep': option({
    group: 'Backup',
    shape: 'N',
    about:
      'how many archives are kept: the newest at --backup-path, earlier ones beside it under dated names',
    parse: count(1, 1000),
    fallback: '1',
  }),
  'backup-keep-daily': option({
    group: 'Backup',
    shape: 'N',
    about: 'keep the newest archive of each of the last N days (UTC) too',
    parse: count(0, 1000),
    fallback: '0',
  }),
  'backup-keep-weekly': option({
    group: 'Backup',
    shape: 'N',
    about: 'keep the newest archive of each of the last N weeks (from Monday, UTC) too',
    parse: count(0, 1000),
    fallback: '0',
  }),
  trim: option({
    group: 'Job',
    shape: '',
    about: 'run fstrim on the file system of the data directory',
    parse: flag,
    fallback: 'true',
  }),
  'data-dir': option({
    group: 'Job',
    shape: 'DIR',
    about: 'data directory of the local member',
    parse: path,
    fallback: '/var/lib/etcd',
  }),
  coordination: option({
    group: 'Coordination',
    shape: '',
    about: "keep other nodes' runs away with a lock in etcd, and leave a record of the run there",
    parse: flag,
    fallback: 'true',
  }),
  'coordination-prefix': option({
    group: 'Coordination',
    shape: 'PREFIX',
    about: 'where lock, record and pause are in etcd; the same on all nodes',
    parse: keyPrefix,
    fallback: '/etcd-defrag',
  }),
  'min-interval': option({
    group: 'Coordination',
    shape: 'DURATION',
    about: 'do nothing when a run completed less than this ago',
    parse: durationOrNone,
    fallback: '1h',
  }),
  wait: optional({
    group: 'Coordination',
    shape: 'DURATION',
    about: 'wait so long for another run at this cluster to end, instead of leaving at once',
    parse: duration,
  }),
  'state-dir': option({
    group: 'Coordination',
    shape: 'DIR',
    about: 'where the pause of this node is kept',
    parse: path,
    fallback: '/var/lib/etcd-defrag',
  }),
  'force-single': option({
    group: 'Force',
    shape: '',
    about: 'run on a cluster with a single voting member too: it is out while it is defragmented',
    parse: flag,
    fallback: 'false',
  }),
  'force-unhealthy': option({
    group: 'Force',
    shape: '',
    about: 'run although members are unhealthy: those that cannot be reached are skipped',
    parse: flag,
    fallback: 'false',
  }),
  'force-nonleader': option({
    group: 'Force',
    shape: '',
    about: 'run although the local member is not the leader',
    parse: flag,
    fallback: 'false',
  }),
  'force-version': option({
    group: 'Force',
    shape: '',
    about: 'run although a version of etcd is known to lose data when it is defragmented',
    parse: flag,
    fallback: 'false',
  }),
  'force-disk': option({
    group: 'Force',
    shape: '',
    about:
      "run although this node's disks may have no room for the copy of a defragmentation or for the archive",
    parse: flag,
    fallback: 'false',
  }),
  output: option({
    group: 'Output',
    shape: 'text|json',
    about: 'for people, or one JSON document on standard output',
    parse: oneOf('text', 'json'),
    fallback: 'text',
  }),
  config: option({
    group: 'Output',
    shape: 'FILE',
    about: 'configuration file',
    parse: path,
    fallback: '/etc/etcd-defrag/config.yaml',
    notInFile: true,
  }),
} satisfies Record<string, Option<unknown>>

export type OptionName = keyof typeof options
export type OptionValue<N extends OptionName> =
  | ReturnType<(typeof options)[N]['parse']>
  | ((typeof options)[N]['fallback'] extends string ? never : undefined)

export const optionNames = Object.keys(options) as readonly OptionName[]

/** `--no-backup` for what is on by default, `--backup-path` else. */
export const flagOf = (name: OptionName): string => (isOnByDefault(name) ? `--no-${name}` : `--${name}`)

export const isSwitch = (name: OptionName): boolean => options[name].shape === ''
export const isOnByDefault = (name: OptionName): boolean =>
  isSwitch(name) && options[name].fallback === 'true'

/** Its own variable: `ETCD_DEFRAG_BACKUP_PATH`. */
export const variableOf = (name: OptionName): string =>
  `ETCD_DEFRAG_${name.toUpperCase().replaceAll('-', '_')}`
