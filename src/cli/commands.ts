import type { Command } from './command.js'

type Row = Readonly<{
  about: string
  /** The file it works on, as --help shows it; brackets where it may be left out. */
  argument?: 'FILE' | '[FILE]'
  /** It asks no etcd, so that the options of the connection mean nothing to it. */
  offline?: true
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
    about: 'write a verified backup of the local member, whether it leads or not, and defragment nothing',
    load: async () => (await import('./run.js')).createCommand,
  },
  'backup list': {
    about: 'show the backup at --backup-path and the earlier ones beside it, and whether they are whole',
    offline: true,
    load: async () => (await import('./list.js')).listCommand,
  },
  pause: {
    about: 'let no run begin for a while, at this cluster or on this node',
    load: async () => (await import('./pause.js')).pauseCommand,
  },
  resume: {
    about: 'end a pause',
    load: async () => (await import('./pause.js')).resumeCommand,
  },
  'backup verify': {
    about: 'read a backup to its end and check all of it; any .xz or .db snapshot, without etcd',
    argument: '[FILE]',
    offline: true,
    load: async () => (await import('./backup.js')).verifyCommand,
  },
  'backup show': {
    about: 'show what is in a backup, with the hash of etcdutl snapshot status',
    argument: '[FILE]',
    offline: true,
    load: async () => (await import('./backup.js')).showCommand,
  },
} satisfies Record<string, Row>

export type CommandName = keyof typeof commands
export const commandNames = Object.keys(commands) as readonly CommandName[]
export const rowOf = (name: CommandName): Row => commands[name]
