/** Text, from wherever it came, to a value. Each throws Error with what was expected; never guesses. */
export type Parse<T> = (text: string) => T

export const text: Parse<string> = value => {
  if (value === '') throw new Error('is empty')
  return value
}

export const flag: Parse<boolean> = value => {
  if (/^(true|yes|on|1)$/i.test(value)) return true
  if (/^(false|no|off|0)$/i.test(value)) return false
  throw new Error(`is ${quoted(value)}; expected true or false`)
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** A duration as Go and etcdctl write it, `1m30s` or `500ms`, to milliseconds. */
export const duration: Parse<number> = value => {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(value))
    throw new Error(`is ${quoted(value)}; expected a duration such as 5s, 500ms or 1m30s`)
  let total = 0
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0)
  if (total <= 0 || total > 24 * 3_600_000)
    throw new Error(`is ${quoted(value)}; expected more than 0 and at most 24h`)
  return Math.ceil(total)
}

/** The same, or `0s` for none. */
export const durationOrNone: Parse<number> = value => (/^0(?:ms|s|m|h)?$/.test(value) ? 0 : duration(value))

/** The same, longer: in days too, `7d`, and up to thirty of them; in hours, `48h`. */
export const longDuration: Parse<number> = value => {
  const [, hours] = /^(\d{1,3})h$/.exec(value) ?? []
  if (hours !== undefined && Number(hours) > 24 && Number(hours) <= 720) return Number(hours) * 3_600_000
  const [, days] = /^(\d+)d$/.exec(value) ?? []
  if (days === undefined) return duration(value)
  if (Number(days) < 1 || Number(days) > 30) throw new Error(`is ${quoted(value)}; expected at most 30d`)
  return Number(days) * 24 * 3_600_000
}

/** A whole number within limits. */
export const count =
  (least: number, most: number): Parse<number> =>
  value => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= least && number <= most))
      throw new Error(`is ${quoted(value)}; expected a whole number from ${least} to ${most}`)
    return number
  }

/** A prefix for keys in etcd, away from Kubernetes' own. */
export const keyPrefix: Parse<string> = value => {
  if (!/^\/[!-~]*[^/]$/.test(value))
    throw new Error(`is ${quoted(value)}; expected a prefix such as /etcd-defrag, without a slash at its end`)
  if (/^\/registry(\/|$)/.test(value))
    throw new Error(
      `is ${quoted(value)}, and /registry belongs to Kubernetes; expected a prefix outside of it`,
    )
  return value
}

/** An absolute path: the tool runs from timers, whose working folder nobody knows. */
export const path: Parse<string> = value => {
  if (!value.startsWith('/')) throw new Error(`is ${quoted(value)}; expected an absolute path`)
  if (value.includes('\0')) throw new Error('holds a zero byte')
  return value
}

/** A path that may be a secret by mistake, so it is not repeated. */
export const secretPath: Parse<string> = value => {
  if (!value.startsWith('/')) throw new Error('is no absolute path; expected the path of a file')
  return path(value)
}

export const endpoints: Parse<readonly [string, ...string[]]> = value => {
  const [first, ...rest] = value.split(',').map(part => endpoint(part.trim()))
  if (first === undefined) throw new Error('is empty')
  return [first, ...rest]
}

function endpoint(value: string): string {
  if (/^unix:\/*[^/]/.test(value)) return value
  if (value.includes('@')) throw new Error('holds a user; set --user and --password-file instead')
  const expected = 'expected http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:PATH'
  const [, scheme, host, port] =
    /^(https?:\/\/)?(\[[0-9a-fA-F:.%]+\]|[^\s:/[\]@?#]+):(\d{1,5})\/?$/.exec(value) ?? []
  if (host === undefined || port === undefined) throw new Error(`has ${quoted(value)}; ${expected}`)
  if (Number(port) < 1 || Number(port) > 65535)
    throw new Error(`has ${quoted(value)}, and ${port} is no port; ${expected}`)
  return `${scheme ?? ''}${host}:${port}`
}

/** For a flag that may be left out: nothing stays nothing. */
export const orNone =
  <T>(parse: Parse<T>): Parse<T | undefined> =>
  value =>
    value === '' ? undefined : parse(value)

export const peerUrls: Parse<readonly string[]> = value =>
  value.split(',').map(url => {
    // What etcd takes (etcd: client/pkg/types/urls.go, NewURLs): a host and a port, and no path.
    const [, host, port] = /^https?:\/\/(\[[0-9a-fA-F:.%]+\]|[^\s:/[\]@?#,]+):(\d{1,5})\/?$/.exec(url) ?? []
    if (host === undefined || Number(port) < 1 || Number(port) > 65535)
      throw new Error(`has ${quoted(url)}; expected peer URLs such as https://10.0.0.1:2380`)
    return url.replace(/\/$/, '')
  })

/** As etcd's own --initial-cluster: `m1=https://10.0.0.1:2380,m2=…`; a name with several URLs is there once for each. */
export const namedUrls: Parse<readonly Readonly<{ name: string; url: string }>[]> = value =>
  value.split(',').map(part => {
    const [, name, url] = /^([^=\p{Cc}]+)=(.*)$/su.exec(part) ?? []
    if (name === undefined || url === undefined)
      throw new Error(`has ${quoted(part)}; expected NAME=PEERURL such as m1=https://10.0.0.1:2380`)
    return { name, url: peerUrls(url)[0] ?? '' }
  })

/** A revision to move forward by: etcd counts in 64 bits, this far below them. */
export const revisions: Parse<number> = value => {
  const count = /^\d{1,15}$/.test(value) ? Number(value) : 0
  if (count < 1) throw new Error(`is ${quoted(value)}; expected a whole number such as 1000000000`)
  return count
}

export const oneOf =
  <T extends string>(...choices: readonly T[]): Parse<T> =>
  value => {
    const choice = choices.find(candidate => candidate === value)
    if (choice === undefined) throw new Error(`is ${quoted(value)}; expected ${choices.join(' or ')}`)
    return choice
  }

/** Long nonsense is cut, so that a message stays one line. */
const quoted = (value: string): string => JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
