import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Executed, JournalEntry, Machine } from '../lab/machine.js'
import { debOf } from '../lab/packages.js'
import { jsonLine } from '../lab/timeline.js'

export const EXAMPLES = '/usr/share/doc/etcd-defrag/examples'
export const BACKUP = '/root/etcd-backup.xz'

/** As an admin does it: the package is copied to the node and installed there. */
export async function install(machine: Machine, deb = debOf(process.arch === 'arm64' ? 'arm64' : 'amd64')) {
  const path = `/var/tmp/${basename(deb)}`
  await machine.write(path, await readFile(deb))
  return machine.sh(`DEBIAN_FRONTEND=noninteractive apt-get -q -y install ${path} 2>&1; rm ${path}`)
}

/** For tests that start one run after the other at members that have just started. */
export const hurry = (machine: Machine, more = ''): Promise<void> =>
  machine.write('/etc/etcd-defrag/config.yaml', `min-interval: 0s\nmin-uptime: 0s\n${more}`)

/** A drop-in of the admin's for a unit; no text takes it away. */
export async function dropIn(machine: Machine, unit: string, text: string): Promise<void> {
  const file = `/etc/systemd/system/${unit}.d/test.conf`
  if (text === '') await machine.sh(`rm -f ${file}`)
  else await machine.write(file, `${text}\n`)
  await machine.sh('systemctl daemon-reload')
}

/** Puts an example of the package where its own words say. */
export async function useExample(machine: Machine, name: string): Promise<void> {
  const text = await machine.read(`${EXAMPLES}/${name}`)
  const target = new RegExp(`# To (/etc/systemd/system/\\S*${name.replace(/.*(?=@)/, '')})`).exec(text)?.[1]
  assert.ok(target, `${name} does not say where it goes`)
  await machine.write(target, text)
  await machine.sh('systemctl daemon-reload')
}

export type Event = Readonly<Record<string, unknown>>
export type UnitRun = Executed & Readonly<{ events: readonly Event[]; journal: readonly JournalEntry[] }>

/** `systemctl start` to its end, and what this run told the journal. */
export async function startUnit(machine: Machine, unit = 'etcd-defrag.service'): Promise<UnitRun> {
  const cursor = await cursorOf(machine)
  const ended = await machine.execute(['systemctl', 'start', unit])
  const journal = await since(machine, unit, cursor)
  return { ...ended, journal, events: eventsOf(journal) }
}

/** Where the journal is now, for `since`. */
export async function cursorOf(machine: Machine): Promise<string> {
  const shown = await machine.sh('journalctl --sync; journalctl -n 1 --show-cursor -o cat')
  return /^-- cursor: (.*)$/m.exec(shown)?.[1] ?? assert.fail(shown)
}

export const since = (machine: Machine, unit: string, cursor: string): Promise<readonly JournalEntry[]> =>
  machine.journal(unit, '--after-cursor', cursor)

export const eventsOf = (journal: readonly JournalEntry[]): readonly Event[] =>
  journal
    .filter(entry => entry['SYSLOG_IDENTIFIER'] === 'etcd-defrag' && entry['MESSAGE']?.startsWith('{'))
    .map(entry => jsonLine(entry['MESSAGE'] ?? ''))

/** The run's last event. */
export function endOf(run: Pick<UnitRun, 'events' | 'journal'>): Event {
  const words = () => run.journal.map(entry => entry['MESSAGE']).join('\n')
  return run.events.findLast(({ event }) => event === 'ended') ?? assert.fail(words())
}

/** The steps of a run and what came of each. */
export const stepsIn = (events: readonly Event[]): readonly string[] =>
  events.flatMap(({ event, step, outcome }) => (event === 'stepEnded' ? [`${step} ${outcome}`] : []))
