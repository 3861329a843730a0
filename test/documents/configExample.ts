import { isOnByDefault, isSwitch, type OptionName, optionNames, options } from '../../src/config/options.js'
import { grouped, wrapped } from './sources.js'

const COLUMNS = 100

/** What an operator has to know of a whole group. */
const notes: Readonly<Record<string, string>> = {
  Connection:
    'On a kubeadm, k3s or RKE2 node, and with the etcd of Debian, all of this is found by itself. A certificate and its key are either both given or both found.',
  Job: 'Durations are written as in Go: 5s, 1m30s, 500ms. A unit that is stopped has 15 min to end the defragmentation under way. A defrag-timeout of more than 14m takes more: `systemctl edit etcd-defrag` with the two lines "[Service]" and "TimeoutStopSec=", longer than it; and the same for etcd-defrag-daemon, where it is used.',
  Backup:
    'The units may write in /root. For a backup in another folder, which has to be there, open it to them: `systemctl edit etcd-defrag` with the two lines "[Service]" and "ReadWritePaths=/that/folder"; and the same for etcd-defrag-drill and etcd-defrag-daemon, where they are used.',
  Coordination:
    'The same on all nodes of a cluster. For a state-dir of your own, open it to the units as in the part on backups.',
  Force:
    'Each does what is otherwise refused. Rather give the flag by hand, once and on purpose; force-single is for clusters that have one control-plane node and no other.',
  Daemon:
    'For `etcd-defrag daemon` alone. The time of the timer is its own: `systemctl edit etcd-defrag.timer`.',
}

/** Values to start from, where there is no default. */
const examples: Readonly<Record<string, string>> = {
  cacert: '/etc/kubernetes/pki/etcd/ca.crt',
  cert: '/etc/kubernetes/pki/etcd/healthcheck-client.crt',
  key: '/etc/kubernetes/pki/etcd/healthcheck-client.key',
  user: 'root',
  'password-file': '/etc/etcd-defrag/password',
  'tls-server-name': 'etcd.example.org',
  wait: '10m',
  timezone: 'Europe/Berlin',
}

export const inFile = (name: OptionName): boolean => !('notInFile' in options[name])

/** A value to switch on: for a switch what it is not by default, else the default or an example. */
export const exampleOf = (name: OptionName): string =>
  isSwitch(name)
    ? String(!isOnByDefault(name))
    : (options[name].fallback ?? examples[name] ?? options[name].shape)

/** packaging/config.yaml: every option that may stand in the file, explained and commented out. */
export function configExample(): string {
  const head = [
    'Configuration of etcd-defrag: /etc/etcd-defrag/config.yaml, see etcd-defrag.yaml(5).',
    'A flag and an ETCD_DEFRAG_* variable go before this file; ETCDCTL_* variables, what the node says of its etcd, and the defaults come after it. `etcd-defrag status --show-config` shows what holds and why.',
    'Nothing has to be set here. To set an option, take the # before its name away; a run reads the file when it begins.',
  ].map(comment)
  const groups = grouped(optionNames.filter(inFile), name => options[name].group)
  const blocks = groups.flatMap(([group, names]) => [
    [heading(group), comment(notes[group] ?? '')].filter(part => part !== '').join('\n'),
    ...names.map(name => `${comment(explained(name))}\n#${name}: ${scalar(exampleOf(name))}`),
  ])
  return `${[head.join('\n'), ...blocks].join('\n\n')}\n`
}

const heading = (group: string): string => `# ${`==== ${group} `.padEnd(COLUMNS - 2, '=')}`

const comment = (text: string): string =>
  text === ''
    ? ''
    : wrapped(text, COLUMNS - 2)
        .map(line => `# ${line}`)
        .join('\n')

function explained(name: OptionName): string {
  const { about, fallback } = options[name]
  return `${about} ${fallback === undefined ? '(not set by default)' : `(default: ${fallback})`}`
}

/** Plain where YAML reads it as the same text. */
const scalar = (value: string): string => (/^[\w./-]+$/.test(value) ? value : JSON.stringify(value))
