import { type CommandOption, commandOptionNames, commandOptions } from '../config/commandOptions.js'
import { type OptionName, optionNames, options } from '../config/options.js'
import type { Command } from './command.js'

type Row = Readonly<{
  about: string
  /** The file it works on, as --help shows it; brackets where it may be left out. */
  argument?: 'FILE' | '[FILE]'
  /** It asks no etcd, so that the options of the connection mean nothing to it. */
  offline?: true
  /** The options that mean something to it besides those of output and, where it asks etcd, of the connection; all of them without. */
  uses?: readonly OptionName[]
  load(): Promise<Command>
}>

/** Every command: parsing, --help and the documentation are made from this table; a file is loaded when it is asked for. */
export const commands = {
  run: {
    about: 'do the nightly job now (also without any command)',
    load: async () => (await import('./run.js')).runCommand,
  },
  plan: {
    about: 'show what a run would do now, step by step and why, and touch nothing',
    load: async () => (await import('./plan.js')).planCommand,
  },
  status: {
    about: 'show the members, their sizes and their health, the last run and a pause',
    load: async () => (await import('./status.js')).statusCommand,
  },
  'backup create': {
    about: 'back up the local member now, whether it leads or not, and defragment nothing',
    uses: [
      ...(['backup-path', 'backup-keep', 'backup-keep-daily', 'backup-keep-weekly'] as const),
      ...(['coordination', 'coordination-prefix', 'wait', 'state-dir'] as const),
      ...(['force-unhealthy', 'force-disk', 'settle-timeout'] as const),
    ],
    load: async () => (await import('./run.js')).createCommand,
  },
  'backup list': {
    about: 'show the backup and the earlier ones beside it, and whether they are whole',
    offline: true,
    uses: ['backup-path'],
    load: async () => (await import('./list.js')).listCommand,
  },
  'backup verify': {
    about: 'read a backup to its end and check all of it; any .xz or .db snapshot',
    argument: '[FILE]',
    offline: true,
    uses: ['backup-path'],
    load: async () => (await import('./backup.js')).verifyCommand,
  },
  'backup show': {
    about: 'show what is in a backup, with the hash of etcdutl snapshot status',
    argument: '[FILE]',
    offline: true,
    uses: ['backup-path'],
    load: async () => (await import('./backup.js')).showCommand,
  },
  'backup restore': {
    about: "make a member's data directory from a backup and swap it in, the old one set aside",
    argument: 'FILE',
    offline: true,
    uses: ['data-dir'],
    load: async () => (await import('./restore.js')).restoreCommand,
  },
  'backup drill': {
    about: 'try a backup: restore it aside, start etcd on it, read it, and remove all again',
    argument: '[FILE]',
    offline: true,
    uses: ['backup-path', 'data-dir', 'user', 'password-file'],
    load: async () => (await import('./drill.js')).drillCommand,
  },
  'holds-etcd': {
    about: 'say whether this node holds an etcd, or one is configured; ends with 100 where not',
    offline: true,
    uses: ['endpoints', 'data-dir'],
    load: async () => (await import('./holdsEtcd.js')).holdsEtcdCommand,
  },
  daemon: {
    about: 'stay, and start a run whenever --schedule says; SIGHUP reads the configuration again',
    load: async () => (await import('./daemon.js')).daemonCommand,
  },
  'daemon settings': {
    about: 'print what the daemon goes by, as JSON: schedule, next runs, the words of each run',
    load: async () => (await import('./settings.js')).settingsCommand,
  },
  pause: {
    about: 'let no run begin for a while, at this cluster or on this node',
    uses: ['coordination-prefix', 'state-dir'],
    load: async () => (await import('./pause.js')).pauseCommand,
  },
  resume: {
    about: 'end a pause',
    uses: ['coordination-prefix', 'state-dir'],
    load: async () => (await import('./pause.js')).resumeCommand,
  },
} satisfies Record<string, Row>

export type CommandName = keyof typeof commands
export const commandNames = Object.keys(commands) as readonly CommandName[]
export const rowOf = (name: CommandName): Row => commands[name]

/** The options that mean something to a command: --help, completion and the manual show these. */
export function optionsOf(name: CommandName): readonly OptionName[] {
  const { offline, uses } = rowOf(name)
  const isOfAll = offline !== true && uses === undefined
  return optionNames.filter(option => {
    const { group } = options[option]
    if (group === 'Daemon') return isDaemon(name)
    return (
      isOfAll ||
      group === 'Output' ||
      uses?.includes(option) === true ||
      (group === 'Connection' && offline !== true)
    )
  })
}

/** The two that go by the schedule. */
export const isDaemon = (name: CommandName): boolean => name === 'daemon' || name === 'daemon settings'

/** Those that no other command has, or few have. */
export const ownOptionsOf = (name: CommandName): readonly CommandOption[] =>
  commandOptionNames.filter(option => (commandOptions[option].commands as readonly string[]).includes(name))
