import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
