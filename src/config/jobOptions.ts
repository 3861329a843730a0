import { type Option, option } from './spec.js'
import { count, duration, durationOrNone, flag, path } from './values.js'

/** What a run does at the members, and its backup. */
export const jobOptions = {
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
    about: 'longest wait for the members to be ready again after a step; then no further member is touched',
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
} satisfies Record<string, Option<unknown>>
