import { connectionOptions } from './connectionOptions.js'
import { jobOptions } from './jobOptions.js'
import { type Option, option, optional } from './spec.js'
import { duration, durationOrNone, flag, keyPrefix, oneOf, path, text } from './values.js'

/** Every option there is: flags, variables, the file, --help and the documentation are made from this table. */
export const options = {
  ...connectionOptions,
  ...jobOptions,
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
    about: 'where the pause of this node is kept, and when the daemon last looked at its schedule',
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
  schedule: option({
    group: 'Daemon',
    shape: 'CRON',
    about:
      'when the daemon starts a run: minute, hour, day of the month, month and day of the week, as in crontab(5)',
    parse: text,
    fallback: '30 2 * * *',
  }),
  timezone: optional({
    group: 'Daemon',
    shape: 'ZONE',
    about: "time zone of the schedule, such as Europe/Berlin, instead of this node's own",
    parse: text,
  }),
  'catch-up': option({
    group: 'Daemon',
    shape: '',
    about: 'start a run that was missed as soon as can be, once however many were missed',
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
