import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { until } from './cluster.js'
import { endControlGroups, sweep } from './machineRemains.js'
import { jsonLine } from './timeline.js'

const cache = process.env['ETCD_LAB'] ?? join(homedir(), '.cache/etcd-defrag-lab')
const recipe = join(import.meta.dirname, '../../../test/lab/machineRoot.mjs')

/** What machineRoot.mjs made, and called so. */
function rootTree(): string {
  const key = createHash('sha256').update(readFileSync(recipe)).digest('hex').slice(0, 12)
  const tree = join(cache, `machine-${key}`)
  if (!existsSync(tree))
    throw new Error(
      `there is no ${tree} to boot from; npm test makes it, and so does: node ${recipe} ${cache}`,
    )
  return tree
}

export type MachineOptions = Readonly<{
  name?: string
  /** A process in the network namespace that the machine gets; one of its own with a loopback otherwise. */
  network?: string
  /** Folders whose files lie over those of the Debian, the first uppermost. */
  layers?: readonly string[]
  /** What is written before it boots: absolute paths, and what is in them. */
  files?: Readonly<Record<string, string>>
  /** File systems of their own on a loop device, by mount point. */
  disks?: Readonly<Record<string, Disk>>
}>
/** `file` is made; what it occupies shows what a trim gives back. */
export type Disk = Readonly<{ type: 'ext4' | 'xfs'; megabytes: number }>

export type Executed = Readonly<{ code: number | null; stdout: string; stderr: string }>
export type ExecuteOptions = Readonly<{
  input?: string | Buffer
  env?: Readonly<Record<string, string>>
  timeoutMs?: number
}>
/** One entry of the journal, with its fields as they are there. */
export type JournalEntry = Readonly<Record<string, string>>

/**
 * A Debian with a real systemd, booted in systemd-nspawn(1) over a tree that is shared and never written. All it
 * mounts is in a mount namespace of its own and ends with it, loop devices included; the kernel ends it with us. What
 * then is still there, its folder and its control groups, the next one removes. Root only.
 */
export class Machine implements AsyncDisposable {
  readonly name: string
  readonly folder: string
  readonly #nspawn: ChildProcess
  readonly #running = new Set<ChildProcess>()
  #leader = ''

  private constructor(name: string, folder: string, nspawn: ChildProcess) {
    this.name = name
    this.folder = folder
    this.#nspawn = nspawn
  }

  /** Boots it and waits until systemd says that all of it is up. Throws with what it printed where that fails. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    await sweep()
    const tree = rootTree()
    const { name = 'node', files = {} } = options
    const folder = await mkdtemp(join(tmpdir(), `etcd-machine-${process.pid}-`))
    for (const part of ['upper/etc', 'work', 'root', 'disks'])
      await mkdir(join(folder, part), { recursive: true })
    const given = { '/etc/hostname': `${name}\n`, '/etc/machine-id': `${randomBytes(16).toString('hex')}\n` }
    for (const [path, content] of Object.entries({ ...given, ...files })) {
      await mkdir(dirname(join(folder, 'upper', path)), { recursive: true })
      await writeFile(join(folder, 'upper', path), content)
    }
    await writeFile(join(folder, 'start'), startScript(tree, folder, name, options))
    const console = openSync(join(folder, 'console'), 'w')
    const own = ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-e', join(folder, 'start')]
    const nspawn = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...own], {
      stdio: ['ignore', console, console],
      detached: true, // Ctrl-C in a terminal is for the tests, which end it in order
      env: { PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    })
    closeSync(console)
    const machine = new Machine(name, folder, nspawn)
    try {
      await machine.#booted()
      return machine
    } catch (error) {
      const printed = await readFile(join(folder, 'console'), 'utf8')
      await machine[Symbol.asyncDispose]()
      throw new Error(`${name} does not boot: ${error}\n${printed.slice(-3000)}`)
    }
  }

  async #booted(): Promise<void> {
    const before = this.#leader
    await until(`${this.name} has a process 1`, async () => {
      if (this.#nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended (${this.#nspawn.exitCode})`)
      this.#leader = (await firstProcess(String(this.#nspawn.pid))) ?? before
      return this.#leader !== before
    })
    await until(`${this.name} is up`, async () => {
      const state = (await this.execute(['systemctl', 'is-system-running'])).stdout.trim()
      if (!/^(degraded|maintenance)$/.test(state)) return state === 'running'
      throw new Error(
        `${state}:\n${await this.sh('systemctl --failed --no-legend; journalctl -b -p err -o cat')}`,
      )
    })
  }

  /** Runs a program to its end, as root in a clean environment. */
  async execute(command: readonly string[], options: ExecuteOptions = {}): Promise<Executed> {
    const { input = '', env = {}, timeoutMs = 120_000 } = options
    const enter = ['mount', 'uts', 'ipc', 'net', 'pid', 'cgroup', 'root', 'wd'].map(space => `--${space}`)
    const child = spawn('nsenter', ['--target', this.#leader, ...enter, '--', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH, HOME: '/root', LANG: 'C.UTF-8', ...env },
    })
    this.#running.add(child)
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text
      })
    child.stdin.on('error', () => {}) // it need not read what it is given
    child.stdin.end(input)
    const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    try {
      const [code] = (await once(child, 'close')) as [number | null]
      return { code, ...output }
    } finally {
      clearTimeout(late)
      this.#running.delete(child)
    }
  }

  /** What a shell script prints; throws where it fails. */
  async sh(script: string, options?: ExecuteOptions): Promise<string> {
    const { code, stdout, stderr } = await this.execute(['sh', '-ec', script], options)
    if (code !== 0) throw new Error(`on ${this.name}, ${script}: ended with ${code}\n${stdout}${stderr}`)
    return stdout
  }

  /** With the folders above it; `mode` as chmod(1) takes it. */
  async write(path: string, content: string | Buffer, mode = '0644'): Promise<void> {
    const script = `mkdir -p ${quoted(dirname(path))}; cat > ${quoted(path)}; chmod ${mode} ${quoted(path)}`
    await this.sh(script, { input: content })
  }

  read(path: string): Promise<string> {
    return this.sh(`cat ${quoted(path)}`)
  }

  /** Properties of a unit as systemctl(1) shows them. */
  async show(unit: string, ...properties: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const text = await this.sh(`systemctl show ${quoted(unit)} --property=${properties.join(',')}`)
    return Object.fromEntries(
      text
        .split('\n')
        .filter(line => line.includes('='))
        .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  }

  /** What the journal has of a unit, or of whatever other arguments of journalctl(1) choose. */
  async journal(unit: string, ...more: readonly string[]): Promise<readonly JournalEntry[]> {
    await this.sh('journalctl --sync')
    const text = await this.sh(['journalctl', '-o', 'json', '-u', unit, ...more].map(quoted).join(' '))
    return text.split('\n').filter(Boolean).map(jsonLine) as readonly JournalEntry[]
  }

  async reboot(): Promise<void> {
    await this.execute(['systemctl', 'reboot'])
    await this.#booted()
  }

  /** Bytes that the disk at a mount point truly occupies, after everything written has reached it. */
  async allocated(mountPoint: string): Promise<number> {
    await this.sh(`sync -f ${quoted(mountPoint)}`)
    const file = join(this.folder, 'disks', nameOf(mountPoint))
    const { stdout } = await this.#here('sh', '-ec', `sync ${quoted(file)}; stat -c %b ${quoted(file)}`)
    return Number(stdout) * 512
  }

  /** On the machine that the lab is on. */
  async #here(...command: readonly string[]): Promise<Executed> {
    const [program = '', ...args] = command
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout, stderr: '' }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL')
    if (this.#nspawn.exitCode === null && this.#nspawn.signalCode === null) {
      const gone = once(this.#nspawn, 'exit')
      this.#nspawn.kill('SIGKILL')
      await gone
    }
    await endControlGroups(basename(this.folder))
    await rm(this.folder, { recursive: true, force: true })
  }
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const nameOf = (mountPoint: string): string => mountPoint.replaceAll('/', '_')

/**
 * /run is its own, since systemd-nspawn leaves folders in it; so is its place in the control groups. A machine outlives
 * a systemd-nspawn that is killed, but not the process namespace around it.
 */
function startScript(
  tree: string,
  folder: string,
  name: string,
  { network, layers = [], disks = {} }: MachineOptions,
): string {
  const lower = [...layers, tree].join(':')
  const mounts = Object.entries(disks).map(([mountPoint, { type, megabytes }]) => {
    const disk = join(folder, 'disks', nameOf(mountPoint))
    const make = { ext4: 'mkfs.ext4 -q -E nodiscard', xfs: 'mkfs.xfs -q -K' }[type]
    return `truncate -s ${megabytes}M ${disk}; ${make} ${disk}; mkdir ${disk}.mounted; mount -o loop ${disk} ${disk}.mounted`
  })
  const binds = Object.keys(disks).map(at => `--bind=${join(folder, 'disks', nameOf(at))}.mounted:${at}`)
  const net = join(folder, 'net')
  const space = network === undefined ? '--private-network' : `--network-namespace-path=${net}`
  return `
for hierarchy in $(awk '$3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /name=systemd/) { print $2 }' /proc/mounts); do
  mkdir "$hierarchy/${basename(folder)}"
  echo $$ > "$hierarchy/${basename(folder)}/cgroup.procs"
done
${mounts.join('\n')}
mount -t overlay overlay -o volatile,lowerdir=${lower},upperdir=${folder}/upper,workdir=${folder}/work ${folder}/root
mount -t tmpfs tmpfs /run
${network === undefined ? '' : `touch ${net}; mount --bind /proc/${network}/ns/net ${net}`}
exec unshare --pid --fork --kill-child --mount-proc -- sh -c 'until systemd-nspawn --boot --directory=${folder}/root --quiet --machine=${name} --register=no --keep-unit \\
  --console=pipe --link-journal=no --resolv-conf=off --timezone=off ${space} ${binds.join(' ')}
do [ $? = 133 ] || exit 1; done' # 133: it wants to boot again
`
}

/** Below `parent`, the process that is number 1 of the second namespace in a row (proc(5), NSpid). */
async function firstProcess(parent: string): Promise<string | undefined> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '') // it has ended
  for (const child of children.split(' ').filter(Boolean)) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '')
    if (/^NSpid:\t\d+\t\d+\t1$/m.test(status)) return child
    const below = await firstProcess(child)
    if (below !== undefined) return below
  }
  return undefined
}
