import type { Spec } from './options.js'
import { flag, longDuration, oneOf } from './values.js'

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
