'use strict'

// The hand-written types, checked with the samples beside this file; and whether each way to import the package has the
// documented exports at run time.

const ts = require('typescript')
const path = require('node:path')
const { promisify } = require('node:util')
const execFile = promisify(require('node:child_process').execFile)

const ROOT = path.join(__dirname, '../../..')

/** Runs tsd on one sample. Resolves with its errors. */
async function typeErrors (sample) {
  try {
    // Ignores tsd's own use of deprecated features of newer Node.js versions.
    const env = { ...process.env, NODE_OPTIONS: '' }
    await execFile(process.execPath, ['node_modules/tsd/dist/cli.js', '--files', `__test__/package/types/${sample}`], { cwd: ROOT, env })
    return ''
  } catch (error) {
    return error.stdout + error.stderr
  }
}

test.each(['commonjs.test-d.ts', 'esm.test-d.mts', 'frameworks.test-d.ts', 'frameworks-esm.test-d.mts', 'cache.test-d.ts'])('the types match %s', async sample => {
  expect(await typeErrors(sample)).toBe('')
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

test('an ES module has the exports of the types', async () => {
  expect(await outputOf('--input-type=module', '--eval', IMPORTS)).toBe(EXPECTED)
})

test('a TypeScript module that is compiled to CommonJS has the exports of the types', async () => {
  const { outputText } = ts.transpileModule(IMPORTS, { compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true } })
  expect(await outputOf('--input-type=commonjs', '--eval', outputText)).toBe(EXPECTED)
})

test.each(['prometheus', 'opentelemetry', 'better-auth'])('%s: both module systems share one function, which is the default export', async name => {
  const script = `
    import { createRequire } from 'node:module'
    import start, * as all from 'aerospike-session/${name}'
    const required = createRequire(process.cwd() + '/')('aerospike-session/${name}')
    console.log(typeof start, start === all[start.name], required.default === start, required[start.name] === start)
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toBe('function true true true\n')
})

test.each(['fastify', 'hono', 'keyv', 'koa', 'migrate', 'react-router'])('%s: both module systems share one class, which is the default export', async name => {
  const script = `
    import { createRequire } from 'node:module'
    import Store, * as all from 'aerospike-session/${name}'
    const required = createRequire(process.cwd() + '/')('aerospike-session/${name}')
    console.log(Store.name, Store === all[Store.name], required.default === Store, required[Store.name] === Store)
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toMatch(/^\w+(?:Store|Aerospike) true true true\n$/)
})

test('rate-limit: both module systems share its exports', async () => {
  const script = `
    import { createRequire } from 'node:module'
    import * as all from 'aerospike-session/rate-limit'
    const required = createRequire(process.cwd() + '/')('aerospike-session/rate-limit')
    console.log(Object.keys(all).join(), Object.keys(all).every(name => all[name] === required[name]))
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toBe('AerospikeRateLimitStore,RateLimiter,fastifyRateLimitStore true\n')
})

test('both module systems share one class', async () => {
  const script = `
    import { createRequire } from 'node:module'
    import { AerospikeStore } from 'aerospike-session'
    console.log(createRequire(process.cwd() + '/')('aerospike-session').AerospikeStore === AerospikeStore)
  `
  expect(await outputOf('--input-type=module', '--eval', script)).toBe('true\n')
})
