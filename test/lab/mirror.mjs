import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The mirror and keyring this machine's own apt uses, so that it works behind any mirror; undefined where there is none. */
export function mirror() {
  const folder = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map(f => join(folder, f)) : []),
  ]
  for (const file of files.filter(existsSync)) {
    const text = readFileSync(file, 'utf8')
    for (const stanza of text.split(/\n\s*\n/)) {
      const uri = /^URIs:\s*(\S+\/debian)\/?\s*$/m.exec(stanza)?.[1]
      const keyring = /^Signed-By:\s*(\S+)/m.exec(stanza)?.[1]
      if (uri !== undefined) return { uri, keyring }
    }
    const [, options, uri] = /^deb\s+(\[[^\]]*\]\s+)?(\S+\/debian)\/?\s/m.exec(text) ?? []
    if (uri !== undefined) return { uri, keyring: /signed-by=([^\s\]]+)/.exec(options ?? '')?.[1] }
  }
  return undefined
}
