import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { readConfigFile } from '../../src/config/file.js'
import { optionNames, options } from '../../src/config/options.js'
import { configExample, eachDocument } from '../lab/documents.js'

test('the documents say what the table of options says (else: npm run docs)', async () => {
  await eachDocument(async (file, is, shouldBe) => assert.equal(is, shouldBe, basename(file)))
})

test('the shipped configuration file changes nothing, and every line of it can be switched on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-config-'))
  try {
    const file = join(folder, 'config.yaml')
    await writeFile(file, configExample())
    assert.deepEqual(await readConfigFile(file, true), {})
    await writeFile(file, configExample().replaceAll(/^#(?! )/gm, ''))
    const names = optionNames.filter(name => !('notInFile' in options[name]))
    assert.deepEqual(Object.keys(await readConfigFile(file, true)), names)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('what the guide to failures quotes is said by the program, and its links lead somewhere', async () => {
  const root = join(import.meta.dirname, '../../..')
  const guide = await readFile(join(root, 'packaging/failure-modes.md'), 'utf8')
  const files = await readdir(join(root, 'src'), { recursive: true })
  const sources = await Promise.all(
    files.filter(name => name.endsWith('.ts')).map(name => readFile(join(root, 'src', name), 'utf8')),
  )
  // The parts between names and numbers stand in the sources, where `${...}` is between them.
  const said = sources.join('\n').replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
  const quotes = guide.split('\n').filter(line => line.startsWith('> '))
  assert.ok(quotes.length > 30)
  const unsaid = quotes.flatMap(quote =>
    quote
      .slice(2)
      .split('…')
      .map(part => part.trim())
      .filter(part => part.length > 2 && !said.includes(part)),
  )
  assert.deepEqual(unsaid, [])
  const headings = [...guide.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  )
  for (const [, link = ''] of guide.matchAll(/\]\(#([^)]*)\)/g)) assert.ok(headings.includes(link), link)
})
