'use strict'

// npm run test:runtime -- bun [arguments of jest]: runs jest's tests on another runtime: node20, node22, node24, node26, bun or
// deno. Without arguments all tests run on Node.js; on Bun and Deno those that do not need tools that exist for Node.js alone.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { RUNTIMES, environment, prepareRuntime } = require('./runtimes')

/** The tests for Bun and Deno. The others look at records with the official client for Node.js, or test its tools. */
const RUNTIME_TESTS = [
  'contract/', 'frameworks/', 'concurrency/', 'integrations/', 'process/lifetimes', 'process/worker-threads', 'process/garbage-collection',
  'sessions/watch', 'cli/dev-server'
]

runMain(async () => {
  const [name, ...args] = process.argv.slice(2)
  const runtime = RUNTIMES.find(one => one.name === name)
  if (runtime === undefined) throw new ScriptError(`Usage: npm run test:runtime -- ${RUNTIMES.map(({ name }) => name).join('|')} [arguments of jest]`)
  build()
  const found = await prepareRuntime(runtime)
  if ('reason' in found) throw new ScriptError(`${runtime.title} ${runtime.version}: ${found.reason}`)
  const chosen = args.length > 0 || runtime.strict ? args : RUNTIME_TESTS
  const child = spawn(found.program, [...runtime.jest, ...chosen], {
    cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...environment(runtime, found.program) }
  })
  const [code] = await once(child, 'close')
  process.exitCode = code ?? 1
})
