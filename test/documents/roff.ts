import { wrapped } from './sources.js'

/** Text as man(7) takes it: no character of it is markup (groff_char(7), man-pages(7)). */
export const plain = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('…', '...')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(
      /[^ -~]/gu,
      character => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    )

const typed = (text: string): string => plain(text).replaceAll('-', '\\-').replaceAll("'", '\\(aq')

/** What is typed as it stands: its hyphens and quotes can be copied, and no line breaks in it. */
export const literal = (text: string): string => `\\%${typed(text)}`
export const bold = (text: string): string => `\\fB${literal(text)}\\fR`

/** A sentence of a table: flags bold, paths as they are typed, and no line that begins like a request. */
export function prose(text: string): string {
  const marked = text
    .split(' ')
    .map(word => {
      const [, before = '', code, after = ''] =
        /^([("]*)(--[a-z][a-z-]*|\/[\w./-]*\w)([)",.:;]*)$/.exec(word) ?? []
      if (code === undefined) return plain(word)
      return `${before}${code.startsWith('--') ? bold(code) : literal(code)}${plain(after)}`
    })
    .join(' ')
  return wrapped(marked, 78)
    .map(line => line.replace(/^(?=[.'])/, '\\&'))
    .join('\n')
}

/** `URL,...` and `NAME[:PASSWORD]`: words stand for something, the rest is typed. */
export const shaped = (shape: string): string =>
  shape.includes('|')
    ? shape.split('|').map(bold).join('|')
    : shape
        .split(/([A-Z]+)/)
        .map((part, i) => (i % 2 === 1 ? `\\fI${part}\\fR` : typed(part)))
        .join('')
