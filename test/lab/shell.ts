import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../documents/sources.js'

const run = promisify(execFile)
const READY = 'ready> '
const LIMIT_MS = 30_000
const KEY = { start: '\x01', end: '\x05', everything: '\x18a', possibilities: '\x04', clear: '\x15' }

export type Completer = Readonly<{
  /** What the last word of a line can become; nothing where it can become nothing else. */
  offers(line: string): Promise<readonly string[]>
}> &
  AsyncDisposable

/** An interactive shell on a terminal, at whose keyboard a test sits; its home is `folder`. */
export class Shell implements Completer {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #folder: string
  #shown = ''
  #count = 0

  private constructor(child: ChildProcessWithoutNullStreams, folder: string) {
    this.#child = child
    this.#folder = folder
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        this.#shown += text
      })
  }

  /** bash with the completion sourced, or found by the bash-completion package where it is `packaged`. */
  static async bash(folder: string, how: 'sourced' | 'packaged'): Promise<Shell> {
    const file = join(root, 'packaging/completion/etcd-defrag.bash')
    if (how === 'packaged') {
      await mkdir(join(folder, 'completions'))
      await symlink(file, join(folder, 'completions/etcd-defrag'))
    }
    const rc = join(folder, 'bashrc')
    const lines = [
      how === 'sourced' ? `source '${file}'` : 'source /usr/share/bash-completion/bash_completion',
      `bind '"\\C-xa": insert-completions'`,
      `PS1='${READY}'`,
    ]
    await writeFile(rc, `${lines.join('\n')}\n`)
    return Shell.#start(`bash --noprofile --rcfile '${rc}' -i`, folder)
  }

  /** zsh that loads the completion from a folder in its fpath at the first use, as from an installed package. */
  static async zsh(folder: string): Promise<Shell> {
    const lines = [
      `fpath=('${join(root, 'packaging/completion')}' $fpath)`,
      `autoload -Uz compinit && compinit -u -d '${folder}/dump'`,
      // zshcompsys(1), _all_matches: every match at once.
      "zle -C everything complete-word _generic && bindkey '^Xa' everything",
      "zstyle ':completion:everything::::' completer _all_matches _complete",
      "zstyle ':completion:everything:*' insert true",
      'LISTMAX=1000',
      "bindkey -e; bindkey '^D' list-choices; bindkey '^Xa' everything",
      `PS1='${READY}'; unset RPS1`,
    ]
    await writeFile(join(folder, '.zshrc'), `${lines.join('\n')}\n`)
    return Shell.#start('zsh -d -i', folder)
  }

  static async #start(command: string, folder: string): Promise<Shell> {
    const child = spawn('script', ['-qec', `stty cols 250 rows 100; exec ${command}`, '/dev/null'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        ZDOTDIR: folder,
        BASH_COMPLETION_USER_DIR: folder,
        INPUTRC: '/dev/null',
        SHELL: '/bin/sh',
        TERM: 'dumb',
        LC_ALL: 'C.UTF-8',
      },
    })
    const shell = new Shell(child, folder)
    await shell.#showed(READY)
    return shell
  }

  async offers(line: string): Promise<readonly string[]> {
    this.#count += 1
    const file = join(this.#folder, `.words-${this.#count}`)
    const done = `done-${this.#count}`
    // Every completion goes into the line; the line then becomes the arguments of a printf.
    this.#type(
      `${line}${KEY.everything}${KEY.start}printf '%s\\n' ${KEY.end} >'${file}'; echo do''ne-${this.#count}\r`,
    )
    await this.#showed(done)
    const words = (await readFile(file, 'utf8')).trimEnd().split('\n')
    const typed = line.split(' ')
    const offered = words.slice(typed.length - 1)
    return offered.length === 1 && offered[0] === typed.at(-1) ? [] : withoutFlag(offered, line)
  }

  /** What is shown when the possible ends of a line are asked for. */
  async possibilities(line: string, until: string): Promise<string> {
    const from = this.#shown.length
    this.#type(`${line}${KEY.possibilities}`)
    await this.#showed(until, from)
    this.#type(`${KEY.clear}\r`)
    return this.#shown.slice(from)
  }

  #type(keys: string): void {
    this.#child.stdin.write(keys)
  }

  async #showed(text: string, from = 0): Promise<void> {
    const limit = AbortSignal.timeout(LIMIT_MS)
    while (!this.#shown.slice(from).includes(text)) {
      try {
        await once(this.#child.stdout, 'data', { signal: limit })
      } catch (cause) {
        throw new Error(`the shell did not show ${JSON.stringify(text)}:\n${this.#shown.slice(-500)}`, {
          cause,
        })
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGTERM') // script(1) ends, and the shell with its terminal
    await ended
  }
}

/** fish, which completes a line without a terminal; it finds the file as an installed package's. */
export async function fish(
  folder: string,
): Promise<Completer & { described(line: string): Promise<string> }> {
  const vendor = join(folder, 'data/fish/vendor_completions.d')
  await mkdir(vendor, { recursive: true })
  await symlink(join(root, 'packaging/completion/etcd-defrag.fish'), join(vendor, 'etcd-defrag.fish'))
  const bin = join(folder, 'bin') // fish asks only for completions of commands that are there
  await mkdir(bin)
  await writeFile(join(bin, 'etcd-defrag'), '#!/bin/sh\n', { mode: 0o755 })
  const described = async (line: string) => {
    const { stdout } = await run('fish', ['-c', 'complete -C $argv[1]', line], {
      cwd: folder,
      env: {
        PATH: `${bin}:${process.env['PATH']}`,
        HOME: folder,
        XDG_DATA_DIRS: join(folder, 'data'),
        LC_ALL: 'C.UTF-8',
      },
    })
    return stdout
  }
  return {
    described,
    async offers(line) {
      const rows = (await described(line)).split('\n').filter(row => row !== '')
      return withoutFlag(
        rows.map(row => row.replace(/\t.*/, '')),
        line,
      )
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Some shells complete `--flag=value` as a whole, others what is behind the `=`. */
const withoutFlag = (words: readonly string[], line: string): readonly string[] =>
  /=\S*$/.test(line) ? words.map(word => word.replace(/^--[a-z-]+=/, '')) : words
