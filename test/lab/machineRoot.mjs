// Makes the root file system that machine.ts boots machines from, in the folder that is named; `npm test` calls it as
// root. It is kept under a name made of this file, so that a change of what is in it makes a new one.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { mirror } from './mirror.mjs'

const SUITE = 'bookworm'
/** What a node has, and what tests look at it with. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'init-system-helpers'],
  ...['util-linux', 'mount', 'procps', 'iproute2', 'ca-certificates', 'tzdata', 'jq', 'lsof'],
  ...['xz-utils', 'e2fsprogs', 'xfsprogs', 'curl'],
  ...['rpm', 'man-db', 'bash-completion'],
]

const say = text => process.stderr.write(`${text}\n`)
const [cache] = process.argv.slice(2)
if (cache === undefined) {
  say('usage: machineRoot.mjs CACHE')
  process.exit(64)
}
const key = createHash('sha256')
  .update(readFileSync(import.meta.filename))
  .digest('hex')
  .slice(0, 12)
const target = join(cache, `machine-${key}`)

for (const name of existsSync(cache) ? readdirSync(cache) : []) {
  const owner = /^machine-.*-(\d+)\.part$/.exec(name)?.[1] // of a call that was ended in the middle
  if (owner !== undefined && !existsSync(`/proc/${owner}`))
    rmSync(join(cache, name), { recursive: true, force: true })
}
if (!existsSync(target)) make()

function make() {
  say(`making a Debian ${SUITE} to boot; this takes about a minute, once`)
  const source = mirror()
  if (source === undefined) throw new Error("found no Debian mirror in this machine's apt sources")
  const part = `${target}-${process.pid}.part`
  mkdirSync(cache, { recursive: true })
  const keyring = source.keyring === undefined ? [] : [`--keyring=${source.keyring}`]
  const include = `--include=${packages.join(',')}`
  const args = ['--variant=minbase', ...keyring, include, SUITE, part, source.uri]
  try {
    execFileSync('debootstrap', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 26,
    })
    settle(part)
  } catch (error) {
    say(`debootstrap ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`)
    const log = join(part, 'debootstrap/debootstrap.log')
    if (existsSync(log)) say(readFileSync(log, 'utf8').slice(-3000))
    rmSync(part, { recursive: true, force: true })
    process.exit(1)
  }
  try {
    renameSync(part, target)
  } catch (error) {
    if (!existsSync(target)) throw error
    rmSync(part, { recursive: true }) // another one was faster
  }
}

/** A machine is offline, and names no mirror; what it need not have makes it small and quick to boot. */
function settle(root) {
  writeFileSync(join(root, 'etc/apt/sources.list'), '')
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n')
  writeFileSync(join(root, 'etc/hostname'), 'localhost\n')
  writeFileSync(join(root, 'etc/resolv.conf'), '')
  writeFileSync(join(root, 'etc/locale.conf'), 'LANG=C.UTF-8\n')
  for (const folder of ['var/cache/apt/archives', 'var/lib/apt/lists'])
    for (const name of readdirSync(join(root, folder)))
      if (name !== 'partial' && name !== 'lock') rmSync(join(root, folder, name), { recursive: true })
  // Debian's own timers would fire in the middle of a test.
  for (const name of ['apt-daily', 'apt-daily-upgrade', 'dpkg-db-backup', 'e2scrub_all', 'fstrim', 'man-db'])
    rmSync(join(root, `etc/systemd/system/timers.target.wants/${name}.timer`), { force: true })
}
