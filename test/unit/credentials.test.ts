import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { optionNames, options, variableOf } from '../../src/config/options.js'
import { withoutPassword } from '../../src/daemon/credentials.js'

describe('a password on the command line of a daemon', () => {
  const [user, password, file] = ['ETCD_DEFRAG_USER', 'ETCD_DEFRAG_PASSWORD', 'ETCD_DEFRAG_PASSWORD_FILE']
  for (const [what, words, environment, expected] of [
    [
      'after a sign',
      ['--no-trim', '--user=root', '--password=a=b'],
      {},
      { [user]: 'root', [password]: 'a=b' },
    ],
    ['after a space', ['--password', 'p q', '--no-trim'], {}, { [password]: 'p q' }],
    ['after one dash', ['-password', '-5', '--no-trim'], {}, { [password]: '-5' }],
    ['behind the user', ['--user', 'root:p', '--no-trim'], {}, { [user]: 'root:p' }],
    [
      'in the place of the variables, of which the name counts',
      ['--password=p', '--no-trim'],
      { [user]: 'root:old', [password]: 'old', [file]: '/old', PATH: '/bin' },
      { [user]: 'root', [password]: 'p', PATH: '/bin' },
    ],
    [
      'with a file beside it, which is refused there too',
      ['--password=p', '--password-file=/f', '--no-trim'],
      {},
      { [password]: 'p', [file]: '/f' },
    ],
  ] as const)
    it(`goes to the environment: ${what}`, () =>
      assert.deepEqual(withoutPassword({ words, environment }), {
        words: ['--no-trim'],
        environment: expected,
      }))

  for (const words of [
    ['--user=root', '--password-file=/f'],
    ['--no-trim'],
    ['--constructor', 'x'],
    ['--password'],
    ['--password', '--no-trim'],
    ['--password=p', '--password=q'],
    ['--password='],
    ['--', '--password=p'],
  ])
    it(`is not in ${JSON.stringify(words)}, or is refused there`, () =>
      assert.deepEqual(withoutPassword({ words, environment: { [password]: 'e' } }), {
        words,
        environment: { [password]: 'e' },
      }))

  it('is in every option that is a secret', () => {
    for (const name of optionNames.filter(option => 'secret' in options[option]))
      assert.deepEqual(
        withoutPassword({ words: [`--${name}=root:secret`], environment: {} }),
        { words: [], environment: { [variableOf(name)]: 'root:secret' } },
        name,
      )
  })
})
