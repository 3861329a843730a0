import type { OptionName } from '../config/options.js'
import type { Command } from './command.js'

type Row = Readonly<{
  about: string
  /** The file it works on, as --help shows it; brackets where it may be left out. */
  argument?: 'FILE' | '[FILE]'
  /** It asks no etcd, so that the options of the connection mean nothing to it. */
  offline?: true
  /** Options of other groups that mean something to an offline one all the same. */
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
  pause: {
    about: 'let no run begin for a while, at this cluster or on this node',
    load: async () => (await import('./pause.js')).pauseCommand,
  },
  resume: {
    about: 'end a pause',
    load: async () => (await import('./pause.js')).resumeCommand,
  },
  'backup restore': {
    about: "make a member's data directory from a backup and swap it in, the old one set aside",
    argument: 'FILE',
    offline: true,
    uses: ['data-dir'],
    load: async () => (await import('./restore.js')).restoreCommand,
  },
  'backup drill': {
    about: 'restore a backup into a temporary folder, start etcd on it, read it, and remove all again',
    argument: '[FILE]',
    offline: true,
    uses: ['backup-path'],
    load: async () => (await import('./drill.js')).drillCommand,
  },
} satisfies Record<string, Row>

export type CommandName = keyof typeof commands
export const commandNames = Object.keys(commands) as readonly CommandName[]
export const rowOf = (name: CommandName): Row => commands[name]
