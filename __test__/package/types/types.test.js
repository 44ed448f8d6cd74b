'use strict'

// The hand-written types, against the samples beside this file; and whether each way to import the
// package gives at run time what the types promise.

const ts = require('typescript')
const path = require('node:path')
const { promisify } = require('node:util')
const execFile = promisify(require('node:child_process').execFile)

const ROOT = path.join(__dirname, '../../..')

/** Runs tsd on one sample; resolves with its complaints. */
async function complaints (sample) {
  try {
    // tsd itself uses what newer versions of Node.js deprecate: none of this package's business.
    const env = { ...process.env, NODE_OPTIONS: '' }
    await execFile(process.execPath, ['node_modules/tsd/dist/cli.js', '--files', `__test__/package/types/${sample}`], { cwd: ROOT, env })
    return ''
  } catch (error) {
    return error.stdout + error.stderr
  }
}

test.each(['commonjs.test-d.ts', 'esm.test-d.mts', 'frameworks.test-d.ts', 'frameworks-esm.test-d.mts'])('the types are what %s says', async sample => {
  expect(await complaints(sample)).toBe('')
}, 120_000)

const IMPORTS = `
  import AerospikeStore, { AerospikeStore as Named, SessionStore, AerospikeSessionError } from 'aerospike-session'
  import DevServer, { DevServer as NamedServer } from 'aerospike-session/dev-server'
  const names = [AerospikeStore === Named, SessionStore.name, AerospikeSessionError.name, DevServer === NamedServer]
  console.log(names.join())
`
const EXPECTED = 'true,SessionStore,AerospikeSessionError,true\n'

/** @param {string[]} args */
async function outputOf (...args) {
  return (await execFile(process.execPath, args, { cwd: ROOT })).stdout
}

test('an ES module gets what the types promise', async () => {
  expect(await outputOf('--input-type=module', '--eval', IMPORTS)).toBe(EXPECTED)
})

test('a TypeScript module that becomes CommonJS gets what the types promise', async () => {
  const { outputText } = ts.transpileModule(IMPORTS, { compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true } })
  expect(await outputOf('--input-type=commonjs', '--eval', outputText)).toBe(EXPECTED)
})

test.each(['fastify', 'hono', 'koa', 'react-router'])('%s: both module systems share one class, which is the default', async name => {
  const script = `
    import { createRequire } from 'node:module'
    import Store, * as all from 'aerospike-session/${name}'
    const required = createRequire(process.cwd() + '/')('aerospike-session/${name}')
    console.log(Store.name, Store === all[Store.name], required.default === Store, required[Store.name] === Store)
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toMatch(/^\w+Store true true true\n$/)
})

test('both module systems share one class', async () => {
  const script = `
    import { createRequire } from 'node:module'
    import { AerospikeStore } from 'aerospike-session'
    console.log(createRequire(process.cwd() + '/')('aerospike-session').AerospikeStore === AerospikeStore)
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toBe('true\n')
})
