import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { readConfigFile } from '../../src/config/file.js'
import { optionNames, options } from '../../src/config/options.js'
import { cellAt, reportsIn } from '../bench/find.js'
import { partNames } from '../bench/parts.js'
import { medianText } from '../bench/show.js'
import { configExample } from '../documents/configExample.js'
import { eachDocument } from '../documents/index.js'
import { manual } from '../documents/manual.js'
import { prose } from '../documents/roff.js'
import { filled, newestRelease, root } from '../documents/sources.js'

test('the documents say what the tables and the results of the bench say (else: npm run docs)', async () => {
  await eachDocument(async (file, is, shouldBe) => assert.equal(is, shouldBe, basename(file)))
})

test('results that are published are of all parts, of the package, at a commit as it is, and of five times or more', async () => {
  const reports = await reportsIn(join(root, 'test/bench/results'))
  assert.deepEqual(reports.map(({ part }) => part).sort(), [...partNames].sort())
  for (const { part, machine, parameters } of reports) {
    assert.match(machine.commit, /^[0-9a-f]{12}$/, part)
    assert.match(machine.program, /^packaged /, part)
    assert.ok(Number(parameters['repeat']) >= 5, part)
  }
  const size = cellAt(reports, 'startup', 'etcd-defrag_0.1.0_amd64.deb', 'size')
  assert.ok(typeof size === 'object')
  assert.ok((await readFile(join(root, 'README.md'), 'utf8')).includes(`most of their ${medianText(size)}:`))
})

test('the shipped configuration file changes nothing, and every line of it can be switched on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-defrag-config-'))
  try {
    const file = join(folder, 'config.yaml')
    await writeFile(file, configExample())
    assert.deepEqual(await readConfigFile(file, true), {})
    await writeFile(file, configExample().replaceAll(/^#(?! )/gm, ''))
    const names = optionNames.filter(name => !('notInFile' in options[name]))
    const found = await readConfigFile(file, true)
    assert.deepEqual(Object.keys(found).sort(), [...names].sort())
    for (const name of names) options[name].parse(found[name]?.text ?? '')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the shipped configuration file says of each option what holds without it, and has no line too long', () => {
  const lines = configExample().split('\n')
  assert.deepEqual(
    lines.filter(line => line.length > 100),
    [],
  )
  const blocks = configExample().split('\n\n')
  for (const name of optionNames.filter(name => !('notInFile' in options[name]))) {
    const block = blocks.find(text => text.includes(`\n#${name}: `))?.replaceAll('\n# ', ' ')
    assert.ok(block, name)
    assert.ok(block.includes(options[name].about), name)
    assert.ok(block.includes(`(${options[name].fallback === undefined ? 'not set by' : 'default:'}`), name)
  }
})

test('the newest entry of the changelog is of the version that is built', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const newest = await newestRelease()
  assert.equal(newest.version, version)
})

test('a handwritten part that asks for what is not made, or has no place for what is, makes no document', async () => {
  await assert.rejects(filled('etcd-defrag.8', {}), /has a place for DATE, which nothing makes/)
  const parts = Object.fromEntries(
    ['DATE', 'VERSION', 'KEYS', 'MORE'].map(name => [name, name.toLowerCase()] as const),
  )
  await assert.rejects(filled('etcd-defrag.yaml.5', parts), /has no place for MORE/)
})

test('the manual names each unit that is shipped', async () => {
  const page = (await manual()).replaceAll('\\-', '-')
  const units = (await readdir(join(root, 'systemd'))).filter(name => /\.(service|timer)$/.test(name))
  assert.ok(units.length >= 4)
  for (const unit of units) assert.ok(page.includes(`.I /usr/lib/systemd/system/${unit}\n`), unit)
})

test('text in the manual is never markup', () => {
  assert.equal(prose("'a' first \\ and …"), "\\&'a' first \\e and ...")
  assert.equal(prose('.TH at the start'), '\\&.TH at the start')
  const long = prose(`${'x'.repeat(77)} .so /etc/passwd`)
  assert.match(long, /\n\\&\.so \\%\/etc\/passwd$/)
  assert.equal(prose('set --backup-path.'), 'set \\fB\\%\\-\\-backup\\-path\\fR.')
})

test('what the guide to failures quotes is said by the program, and its links lead somewhere', async () => {
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
