'use strict'

// npm run test:runtime -- bun [arguments of jest]: runs jest's tests on another runtime: node20, node22, node24, node26, bun or
// deno. What a runtime cannot do is listed in __test__/support/runtime.js.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { RUNTIMES, environment, prepareRuntime } = require('./runtimes')

runMain(async () => {
  const [name, ...args] = process.argv.slice(2)
  const runtime = RUNTIMES.find(one => one.name === name)
  if (runtime === undefined) throw new ScriptError(`Usage: npm run test:runtime -- ${RUNTIMES.map(({ name }) => name).join('|')} [arguments of jest]`)
  build()
  const found = await prepareRuntime(runtime)
  if ('reason' in found) throw new ScriptError(`${runtime.title} ${runtime.version}: ${found.reason}`)
  const child = spawn(found.program, [...runtime.jest, ...args], {
    cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...environment(runtime, found.program) }
  })
  const [code] = await once(child, 'close')
  process.exitCode = code ?? 1
})
