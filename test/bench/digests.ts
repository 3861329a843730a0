import type { PartName } from './parts.js'

/** The figure at a row and a column of a part, in words. */
type Told = (part: PartName, row: string | RegExp, column: string) => string

export type Shown = Readonly<{
  title: string
  /** The parts that rows are from, and what stands before a row's name. */
  of: Readonly<Partial<Record<PartName, string>>>
  rows: RegExp
  /** What a column is called here, and in the results. */
  columns: readonly (readonly [string, string])[]
}>

/** A section of BENCHMARKS.md: what it says before its tables and after its plots. */
export type Digest = Readonly<{
  title: string
  parts: readonly PartName[]
  say: (told: Told) => readonly string[]
  tables: readonly Shown[]
  after: (told: Told) => readonly string[]
}>

const OURS = 'etcd-defrag'
/** The row that is reckoned and not measured. */
const EIGHT = /^8 GiB, on paper/
const same = (...names: readonly string[]) => names.map(name => [name, name] as const)

/** A figure of the sweep, at presets with our threads and blocks. */
const sweep = (told: Told, column: string, ...presets: readonly number[]): string =>
  presets.map(preset => told('compression', `-${preset} T2 4 MiB`, column)).join(', ')

export const digests: readonly Digest[] = [
  {
    title: 'What clients feel',
    parts: ['clients', 'clients-slow', 'clients-outlasting'],
    say: () => [
      'Three members of 1 GiB under 350 operations a second, each on a disk in memory with a limit of its own. Whoever is bound to one member is not served while that one is being defragmented, by any tool: what counts is whether all others are. As long as a defragmentation is over within the 5 s that etcdctl waits, the script does as well as this tool. Where it takes longer, etcdctl and the script touch the next member while the first is still out, until none is left to serve. Told to wait (`--command-timeout`), etcdctl touches one after the other, the leader while it leads.',
    ],
    tables: [
      {
        title: 'Writes through any member, and a client that fails over',
        of: {
          clients: '400 MB/s: ',
          'clients-slow': '45 MB/s: ',
          'clients-outlasting': '20 MB/s: ',
        },
        rows: /./,
        columns: [
          ['longest gap in writes', 'write gap, any member'],
          ['members out at once', 'out at once'],
          ['failing over: failed', 'failing over, failed'],
          ['bound to a member: failed', 'failed'],
          ['a gap beyond its defragmentation', 'most of a gap beyond its defragmentation'],
          ['exit', 'exit'],
        ],
      },
    ],
    after: () => [
      'At 20 MB/s a defragmentation outlasts deadlines of 5 and of 30 s. This tool is told there to wait 5 s for an answer as etcdctl does, to touch members that will be out for so long, and to wait for each to come back: `--defrag-timeout 5s --max-stall 1h --settle-timeout 20m`. On two cores that members, load and tool share, a defragmentation takes longer than it does alone, and what a backup costs the clients of its own node it costs here those of all three.',
    ],
  },
  {
    title: 'Time that is not etcd’s',
    parts: ['own'],
    say: told => [
      `Wall time of a run with three members and no load, less the time in which one of them was being defragmented, less snapshot and compressing: ${told('own', `256 MiB: ${OURS}`, 'own')} at 256 MiB. Until the last member is defragmented it is ${told('own', `256 MiB: ${OURS}`, 'own, until the last')}, the proofs that each is ready before the next is touched included; etcdctl proves nothing, and the script sleeps for 5 s in all.`,
    ],
    tables: [
      {
        title: 'Wall time beyond the work, by size of the database',
        of: { own: '' },
        rows: /./,
        columns: [
          ['all of it', 'own'],
          ['ours by theirs', 'own, ours by theirs'],
          ['until the last is defragmented', 'own, until the last'],
          ['wall', 'wall'],
        ],
      },
      {
        title: 'Where it goes',
        of: { own: '' },
        rows: /: etcd-defrag$/,
        columns: [
          ['starting', 'of own: starting'],
          ...same('first look', 'between steps', 'MoveLeader', 'verifying', 'trimming', 'ending', 'the rest'),
        ],
      },
    ],
    after: () => [
      'Starting is Node and reading the configuration; the first look goes on until both locks are held and all members are looked at once more; between steps three looks in a row prove a member ready; verifying is what is left of it once all is compressed; ending is the note in etcd, the locks given back and the report.',
    ],
  },
  {
    title: 'The snapshot',
    parts: ['snapshot'],
    say: told => [
      `Ours is open for ${told('snapshot', 'ours by theirs, in pairs', 'open')} of etcdctl’s time, the running SHA-256, the walk through the database and the spool on disk included. The stream alone, its bytes thrown away as they come, takes ${told('snapshot', 'the stream alone by theirs, in pairs', 'open')}: what is left is etcd’s and grpc-js’s.`,
    ],
    tables: [
      {
        title: 'A snapshot of 1 GiB',
        of: { snapshot: '' },
        rows: /./,
        columns: same('open', 'until it is a file', 'CPU per GiB', 'CPU of etcd per GiB'),
      },
    ],
    after: () => [],
  },
  {
    title: 'Compression',
    parts: ['compression'],
    say: told => [
      `From a member to an archive, ours verified and synced by then, theirs neither: ${told('compression', 'etcdctl snapshot save, xz -f', 'wall, ours by theirs')} of the time of \`xz -f\`, ${told('compression', 'etcdctl snapshot save, xz -f -T0', 'wall, ours by theirs')} of \`xz -f -T0\`, for an archive ${told('compression', 'etcdctl snapshot save, xz -f', 'archive, ours by theirs')} as large. Beside xz at our own preset and threads it takes ${told('compression', /, xz -f -1 -T[02]$/, 'wall, ours by theirs')}: decoding the archive again and walking the database keep the same two cores busy.`,
    ],
    tables: [
      {
        title: 'Snapshot to archive, 167 MiB in use',
        of: { compression: '' },
        rows: /^etcd/,
        columns: same('wall', 'CPU', 'ratio', 'archive, ours by theirs', 'ratio a second, theirs by ours'),
      },
      {
        title: 'Some of the settings on a snapshot of 42 MiB, each a program of its own',
        of: { compression: '' },
        rows: /^(-[0-6] T2 4 MiB|-1 T1 4 MiB|npm .*|xz -1 T2.*|xz -6 T.*|starting alone.*)$/,
        columns: same('wall', 'CPU', 'ratio', 'memory', 'on the front'),
      },
      {
        title: 'Compressing beside a cluster under load, by how it is scheduled',
        of: { compression: '' },
        rows: /./,
        columns: same('write, median', 'write, 99 of 100', 'write gap, any member'),
      },
    ],
    after: told => [
      `**The default: preset 1, two threads, blocks of 4 MiB.** Presets 1, 2 and 3 make it ${sweep(told, 'ratio', 1, 2, 3)} smaller in ${sweep(told, 'wall', 1, 2, 3)}; 4 is the first to gain more than that, ${sweep(told, 'ratio', 4)} in ${sweep(told, 'wall', 4)} and with ${sweep(told, 'memory', 4)} of memory instead of ${sweep(told, 'memory', 1)}. Preset 0 would do ${sweep(told, 'ratio', 0)} in ${sweep(told, 'wall', 0)}, of these data: its dictionary of 256 KiB looks back a quarter as far as that of 1 MiB, and how far apart revisions of an object lie is the cluster’s affair. One thread takes ${told('compression', '-1 T1 4 MiB', 'wall')}, more than two would be taken from etcd, and blocks of 4 MiB let \`xz -T0 -d\` have several too. A nice value alone does little, since Linux shares out processors by session first; a run makes its session nice, as in the last row but one.`,
      `**The bundled liblzma.** lzma-native brings 5.2.3 and compiles it without optimisation, as its \`CFLAGS\` take the place of configure’s (\`npm\` in the table): ${told('compression', 'npm -1 T2 4 MiB', 'CPU')} of CPU against ${told('compression', '-1 T2 4 MiB', 'CPU')} as the packages compile it, with \`-O2\`. xz takes ${told('compression', /^xz -1 T2/, 'CPU')} at the same preset and threads, of which Node’s start is no part, and at preset 6 ${told('compression', /^xz -6 T2/, 'CPU')} where the bundled one takes ${sweep(told, 'CPU', 6)}.`,
    ],
  },
  {
    title: 'Memory',
    parts: ['memory'],
    say: told => [
      `The most resident memory at once, of one member’s database: a run takes ${told('memory', '102 MiB', 'run')} at 102 MiB and ${told('memory', '4 GiB', 'run')} at 4 GiB. To prove a database whole in as few passes as can be is to know of every page that it is used once, some 40 bytes for each, and to keep the pages that refer to others, up to 32 MiB of them.`,
    ],
    tables: [
      {
        title: 'Peak of resident memory, by size of the database',
        of: { memory: '' },
        rows: /[MG]iB$/,
        columns: same('in the archive', 'run', 'verify', 'restore'),
      },
      {
        title: 'Run after run in one process',
        of: { memory: '' },
        rows: /./,
        columns: same('resident memory after each'),
      },
    ],
    after: () => [],
  },
  {
    title: 'Start-up',
    parts: ['startup'],
    say: told => [
      `A package is one script with V8’s code for it: \`status\` of three members takes ${told('startup', 'packaged status', 'time')}, ${told('startup', 'packaged status, compiled anew', 'time')} where V8 compiles it anew, and ${told('startup', 'built status', 'time')} from the files as they are built, module by module.`,
    ],
    tables: [
      {
        title: 'From start to end',
        of: { startup: '' },
        rows: /^(bare node|packaged|etcdctl)/,
        columns: same('time'),
      },
      { title: 'The packages', of: { startup: '' }, rows: /\.(rpm|deb)$/, columns: same('size') },
    ],
    after: () => [],
  },
  {
    title: 'Scale',
    parts: ['scale-members', 'scale-size'],
    say: () => [
      'This tool under the load of the first part, with more members at 512 MiB and with three members of more data. All of them share two cores here, which in a cluster they do not. A member alone serves nobody while it is defragmented.',
    ],
    tables: [
      {
        title: 'By members, and by the size of the database',
        of: { 'scale-members': 'members: ', 'scale-size': '' },
        rows: /./,
        columns: [
          ['longest gap in writes', 'write gap, any member'],
          ['the load itself late by', 'generator late'],
          ['failing over: failed', 'failing over, failed'],
          ['own time', 'own time'],
          ['longest defragmentation', 'a member’s defragmentation'],
          ...same('snapshot', 'compress', 'whole run', 'CPU', 'peak memory'),
        ],
      },
      {
        title: '500 clusters of three, each night, on paper',
        of: { 'scale-size': '' },
        rows: /./,
        columns: [
          ['a run', 'a run'],
          ...same('CPU time of this tool', 'of it in all clusters', 'given back by all members'),
        ],
      },
    ],
    after: told => [
      `**8 GiB**, by the straight line: a member is out for ${told('scale-size', EIGHT, 'a member’s defragmentation')} on a disk of 400 MB/s, and eight times what a slow one takes for 1 GiB on that (below). As long as nothing of a member was measured, the tool reckons with a slow disk and leaves it alone; \`--max-stall\` once, and later runs know its pace. Its run takes ${told('scale-size', EIGHT, 'whole run')}, most of it compressing, and ${told('scale-size', EIGHT, 'peak memory')} of memory. Beside the database the node needs room for etcd’s copy of what is in use, and where the backup goes once as much for the spool, and for the archive.`,
      '**500 clusters** share nothing: a night is 500 times a run, on 500 nodes. What is given back is so the first night; from then on it is what a day has freed. Where clusters share a storage or a hypervisor, spread the runs (`random-delay.conf` among the examples that the package brings).',
    ],
  },
  {
    title: 'A defragmentation beside a plain copy',
    parts: ['limit'],
    say: told => [
      `What a member is out for is its disk’s time and etcd’s: it takes ${told('limit', '45 MB/s', 'defragmentation by copy')} as long as \`dd bs=1M conv=fsync\` of the database that came of it, on the same slow disk. etcd reads every key, builds the tree anew and commits it after every 10,000 of them. No tool can make that shorter.`,
    ],
    tables: [
      {
        title: 'A database of 1 GiB',
        of: { limit: '' },
        rows: /./,
        columns: same('defragmentation', 'copy', 'defragmentation by copy'),
      },
    ],
    after: () => [],
  },
]
