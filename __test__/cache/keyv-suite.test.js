'use strict'

// Runs @keyv/test-suite, unchanged, with vitest.

const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { SessionStore } = require('../..')
const { KeyvAerospike } = require('../../exports/keyv')
const { extraPackages } = require('../support/extra-packages')
const { freshSet, hasNoTtlNamespace, hosts } = require('../support/server')

const execFile = promisify(require('node:child_process').execFile)

// The first run installs the suite.
jest.setTimeout(300_000)

const ROOT = path.join(__dirname, '../..')

/** Runs the suite. Returns vitest's report. */
async function run (namespace, options) {
  const home = await extraPackages()
  const set = freshSet()
  fs.copyFileSync(path.join(__dirname, 'suite/keyv.test.mjs'), path.join(home, 'keyv.test.mjs'))
  const report = path.join(home, `report-${set}.json`)
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--root', home, '--reporter=json', `--outputFile=${report}`, 'keyv.test.mjs']
  const env = {
    ...process.env, TEST_PACKAGE: path.join(ROOT, 'package.json'), TEST_HOSTS: hosts(), TEST_NAMESPACE: namespace, TEST_SET: set, TEST_OPTIONS: JSON.stringify(options)
  }
  try {
    // vitest exits with 1 if a test fails. The report says which.
    await execFile(process.execPath, args, { cwd: home, env }).catch(error => { if (!fs.existsSync(report)) throw error })
    const { numPassedTests: passed, testResults } = JSON.parse(fs.readFileSync(report, 'utf8'))
    const failed = testResults.flatMap(({ message, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status !== 'passed').map(one => `${one.fullName}: ${one.failureMessages}`)
      // The message of a file that could not be loaded.
      return message === '' ? tests : [message, ...tests]
    })
    return { passed, failed }
  } finally {
    fs.rmSync(report, { force: true })
    const client = new SessionStore({ hosts: hosts(), namespace })
    client.on('warning', () => {})
    for (const keyv of ['keyv', 'keyv1', 'keyv2']) {
      const adapter = new KeyvAerospike({ client, set, throwOnErrors: true })
      adapter.namespace = keyv
      await adapter.clear()
    }
    await client.close()
  }
}

/** The number of tests in version 2.1.2: 39 of the suite, and 3 of its iterator. */
const TESTS = 42

test('passes', async () => {
  expect(await run('test', {})).toStrictEqual({ passed: TESTS, failed: [] })
})

test('passes with encryption', async () => {
  expect(await run('test', { encryptionKeys: [Buffer.alloc(32, 7).toString('base64')] })).toStrictEqual({ passed: TESTS, failed: [] })
})

test('passes in a namespace that refuses TTLs', async () => {
  if (!await hasNoTtlNamespace()) return
  expect(await run('nottl', {})).toStrictEqual({ passed: TESTS, failed: [] })
})
