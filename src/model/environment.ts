/** The variables of a process, name to value (environ(7)). */
export type Environment = Readonly<Record<string, string | undefined>>
