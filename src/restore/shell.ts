/** A word as a POSIX shell must read it to get it back. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

export const shellLine = (words: readonly string[]): string => words.map(quote).join(' ')
