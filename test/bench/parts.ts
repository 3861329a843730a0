import { clients, clientsOutlasting, clientsSlow } from './clients.js'
import { compression } from './compression.js'
import { limit } from './limit.js'
import { memory } from './memory.js'
import { own } from './own.js'
import type { Part } from './part.js'
import { scaleMembers, scaleSize } from './scale.js'
import { snapshot } from './snapshot.js'
import { startup } from './startup.js'

/** Every part, by the name that the command line knows it under and in the order of a whole bench. */
export const parts = {
  clients,
  'clients-slow': clientsSlow,
  'clients-outlasting': clientsOutlasting,
  own,
  snapshot,
  compression,
  memory,
  startup,
  'scale-members': scaleMembers,
  'scale-size': scaleSize,
  limit,
} satisfies Record<string, Part>
export type PartName = keyof typeof parts
export const partOf = (name: PartName): Part => parts[name]
export const partNames = Object.keys(parts) as PartName[]
