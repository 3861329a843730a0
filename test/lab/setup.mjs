// What `npm test`, `npm run demo` and `npm run check` begin with on a machine that has nothing but Node and
// npm: plain JavaScript without packages. Installs the npm packages, compiles, and fetches real etcds from
// Debian's packages into a cache outside of the tree; a second call finds all of it there.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { mirror } from './mirror.mjs'

const root = resolve(import.meta.dirname, '../..')
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'etcd-defrag-lab')
const suites = ['bookworm', 'trixie', 'forky']

const say = text => process.stderr.write(`${text}\n`)
const fail = text => {
  say(`setup: ${text}`)
  process.exit(1)
}
const isRoot = process.getuid() === 0

function runQuietly(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
  } catch (error) {
    return fail(`${command} ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`)
  }
}

function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.version)
    .digest('hex')
  const stamp = join(root, 'node_modules/.etcd-defrag-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say('installing the npm packages')
  runQuietly('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  writeFileSync(stamp, lock)
}

const compile = () => runQuietly(process.execPath, ['node_modules/typescript/bin/tsc'])

/** Programs the lab calls, and the Debian packages they are in. */
const programs = {
  xz: 'xz-utils',
  'dpkg-deb': 'dpkg',
  'mkfs.ext4': 'e2fsprogs',
  setpriv: 'util-linux',
  mount: 'mount',
}
/** Those that only the tests take. */
const testPrograms = {
  ip: 'iproute2',
  nft: 'nftables',
  fsfreeze: 'util-linux',
  nbdkit: 'nbdkit',
  nbdfuse: 'libnbd-bin',
  '7zz': '7zip',
  lintian: 'lintian',
  rpmlint: 'rpmlint',
  shellcheck: 'shellcheck',
  'systemd-notify': 'systemd',
  perl: 'perl-base',
  mandoc: 'mandoc',
  man: 'man-db',
  script: 'bsdutils',
  zsh: 'zsh',
  fish: 'fish',
  'dh_bash-completion': 'bash-completion',
}
/** Those that boot machines, which takes root. */
const machinePrograms = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  'mkfs.xfs': 'xfsprogs',
}

/** The Debian that tests boot. */
function prepareMachines() {
  if (!isRoot) return
  installPrograms(machinePrograms)
  execFileSync(process.execPath, ['test/lab/machineRoot.mjs', cache], { cwd: root, stdio: 'inherit' })
}

/** The compiler for this processor comes under its long name too. */
const compilerFor = (arch, name) => (process.arch === arch ? 'g++' : `g++-${name}`)

/** Those that packages are made with; the compilers are for lzma-native's half that is no JavaScript. */
const packagePrograms = {
  'qemu-aarch64': 'qemu-user', // compiles for the other processor
  rpmbuild: 'rpm',
  readelf: 'binutils',
  'x86_64-linux-gnu-strip': 'binutils-x86-64-linux-gnu',
  'aarch64-linux-gnu-strip': 'binutils-aarch64-linux-gnu',
  'x86_64-linux-gnu-g++': compilerFor('x64', 'x86-64-linux-gnu'),
  'aarch64-linux-gnu-g++': compilerFor('arm64', 'aarch64-linux-gnu'),
  make: 'make',
  bzip2: 'bzip2',
}

/** Those that only the bench takes, and its smoke among the tests. */
const benchPrograms = { chrt: 'util-linux', mountpoint: 'util-linux' }

function installPrograms(programs) {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`.split(':')
  const missing = Object.keys(programs).filter(name => !path.some(folder => existsSync(join(folder, name))))
  if (missing.length === 0) return
  const packages = missing.map(name => programs[name])
  if (!isRoot) fail(`${missing.join(', ')} not found; as root: apt-get install ${packages.join(' ')}`)
  say(`installing ${packages.join(' ')}`)
  runQuietly('apt-get', ['-q', 'update'])
  runQuietly('apt-get', ['-q', '-y', '--no-install-recommends', 'install', ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/** etcd, etcdctl and etcdutl of one Debian suite, unpacked and not installed. */
function fetchEtcd(suite) {
  const target = join(cache, `etcd-${suite}`)
  if (existsSync(join(target, 'usr/bin/etcd'))) return
  say(`fetching etcd from Debian ${suite}`)
  for (const name of existsSync(cache) ? readdirSync(cache) : []) {
    const owner = /^fetch-.*-(\d+)$/.exec(name)?.[1] // of a call that was ended in the middle
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) rmSync(join(cache, name), { recursive: true })
  }
  const work = join(cache, `fetch-${suite}-${process.pid}`)
  mkdirSync(join(work, 'lists/partial'), { recursive: true })
  mkdirSync(join(work, 'cache/archives/partial'), { recursive: true })
  const { uri, keyring } =
    mirror() ??
    fail("found no Debian mirror in this machine's apt sources; the lab takes etcd from Debian's packages")
  writeFileSync(
    join(work, 'sources.list'),
    `deb ${keyring ? `[signed-by=${keyring}] ` : ''}${uri} ${suite} main\n`,
  )
  const options = [
    `Dir::Etc::sourcelist=${join(work, 'sources.list')}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    'Acquire::Languages=none',
    ...(isRoot ? ['APT::Sandbox::User=root'] : []),
  ].flatMap(option => ['-o', option])
  runQuietly('apt-get', ['-q', ...options, 'update'])
  runQuietly('apt-get', ['-q', ...options, 'download', `etcd-server/${suite}`, `etcd-client/${suite}`], {
    cwd: work,
  })
  for (const deb of readdirSync(work).filter(name => name.endsWith('.deb')))
    runQuietly('dpkg-deb', ['-x', join(work, deb), join(work, 'root')])
  rmSync(target, { recursive: true, force: true })
  renameSync(join(work, 'root'), target)
  rmSync(work, { recursive: true })
}

/** The packages of now and of a later release, compressed in passing: the real ones take minutes. */
function makeTestPackages() {
  say('making packages to test')
  for (const args of [
    ['--folder', 'dist/test-packages/now'],
    ['--folder', 'dist/test-packages/newer', '--version', '99.0.0', '--architecture', 'amd64'],
  ])
    runQuietly(process.execPath, ['dist/packaging/build/main.js', '--fast', ...args])
}

/** Ends with the child's exit code, or 1 where the linters object; a signal to us reaches the child, which cleans up. */
function become(args, linted = Promise.resolve('')) {
  // etcd3's TLS names the host even where it is an IP address, and Node warns of that each time.
  const child = spawn(process.execPath, ['--no-deprecation', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ETCD_LAB: cache },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', async (code, signal) => {
    const complaints = await linted
    if (complaints !== '') fail(complaints)
    process.exit(code ?? (signal === null ? 1 : 128))
  })
}

/**
 * The compiled tests of the sources that are there now: dist may hold older ones. `.full` ones take longer than they tell
 * each time, and run only where they are asked for.
 */
const tests = (folder, whole) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter(name => name.endsWith('.test.ts') && (whole || !name.endsWith('.full.test.ts')))
    .sort()
    .map(name => join('dist', folder, name.replace(/\.ts$/, '.js')))

/** Both linters at once, beside the compiler; resolves to what they object to. */
function lint() {
  const linters = [
    ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'],
    [
      'node_modules/eslint/bin/eslint.js',
      '--cache',
      '--cache-location',
      'node_modules/.cache/eslint/',
      '--config',
      '.config/eslint.config.js',
      'src',
      'test',
      'packaging',
    ],
  ]
  const complaints = linters.map(
    args =>
      new Promise(resolve => {
        execFile(process.execPath, args, { cwd: root, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
          resolve(error === null ? '' : `${args.join(' ')}\n${stdout}${stderr}`),
        )
      }),
  )
  return Promise.all(complaints).then(all => all.join(''))
}

function runTests(folders, { linted, whole = false } = {}) {
  const files = folders.flatMap(folder => tests(folder, whole))
  if (files.length === 0) fail(`no tests in ${folders.join(', ')}`)
  become(['--test', '--test-concurrency=2', '--test-reporter=./dist/test/lab/reporter.js', ...files], linted)
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.versions.node} is too old; 20.19 or later is needed`)
if (process.platform !== 'linux') fail('the lab runs on Linux only')

const jobs = {
  async check(linted) {
    process.env.HURRY = 'yes' // `npm test` takes its time
    runTests(['test/unit'], { linted })
  },
  async test(linted) {
    const complaints = await linted
    if (complaints !== '') fail(complaints)
    installPrograms({ ...programs, ...packagePrograms, ...testPrograms, ...benchPrograms })
    for (const suite of suites) fetchEtcd(suite)
    prepareMachines()
    makeTestPackages()
    runTests(process.argv.length > 3 ? process.argv.slice(3) : ['test'])
  },
  async 'test:packages'() {
    installPrograms({ ...programs, ...packagePrograms, ...testPrograms })
    for (const suite of suites) fetchEtcd(suite)
    prepareMachines()
    makeTestPackages()
    runTests(['test/packages'], { whole: true })
  },
  async bench() {
    installPrograms({ ...programs, ...benchPrograms })
    for (const suite of suites.filter(name => name === 'trixie' || process.argv.includes(name)))
      fetchEtcd(suite)
    become(['dist/test/bench/main.js', ...process.argv.slice(3)])
  },
  async chaos() {
    installPrograms({ ...programs, ...testPrograms })
    for (const suite of suites) fetchEtcd(suite)
    become(['dist/test/chaos/main.js', ...process.argv.slice(3)])
  },
  /** What test/lab/packages.ts gives to tests. */
  async 'test-packages'() {
    installPrograms({ ...programs, ...packagePrograms })
    makeTestPackages()
  },
  async package(linted) {
    const complaints = await linted
    if (complaints !== '') fail(complaints)
    installPrograms({ ...programs, ...packagePrograms })
    become(['dist/packaging/build/main.js', ...process.argv.slice(3)])
  },
  async demo() {
    installPrograms(programs)
    fetchEtcd('trixie')
    become(['dist/test/demo.js'])
  },
}
const name = process.argv[2]
if (!Object.hasOwn(jobs, name ?? '')) fail(`usage: setup.mjs ${Object.keys(jobs).join('|')}`)
installPackages()
const linted = ['check', 'test', 'package'].includes(name) ? lint() : undefined
compile()
await jobs[name](linted)
