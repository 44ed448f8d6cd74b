'use strict'

// npm test: builds what is needed, then runs the tests of the Rust code, then those of the package and its types. Arguments are
// passed to jest: `npm test -- malformed`. The last line counts cargo's and jest's tests.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { checkInstructions } = require('./instructions')
const { preparePython } = require('./python')
const { RUNTIMES, environment, prepareRuntime } = require('./runtimes')

const RESULTS = path.join(ROOT, '.cache/jest.json')
/** The tests that run on every runtime: the installed package, and what depends on the runtime. `npm run test:runtime` runs all. */
const ON_EVERY_RUNTIME = [
  'package/install', 'contract/aerospike-store', 'contract/session-store', 'contract/contract.test', 'contract/http', 'contract/errors',
  'process/worker-threads', 'frameworks/runtimes', 'frameworks/express', 'frameworks/fastify', 'frameworks/hono'
]

/** @type {string[][]} */
const table = [['runtime', 'version', 'tests', 'passed', 'failed', 'skipped']]

/** @typedef {{ passed: number, failed: number, skipped?: string[] }} Counts */

/**
 * Runs a command. Its output goes to this terminal and into the result.
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
async function run (command, args, env) {
  const child = spawn(command, args, {
    cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], shell: process.platform === 'win32'
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text
    process.stdout.write(text)
  })
  const [code] = await once(child, 'close')
  return { ok: code === 0, output }
}

/**
 * A failed step counts as a failure even if no single test failed.
 * @param {boolean} ok
 * @param {Counts} counts
 */
function withStep (ok, counts) {
  return ok || counts.failed > 0 ? counts : { ...counts, failed: 1 }
}

/** @returns {Promise<Counts>} */
async function cargo () {
  // Unoptimised, because that builds faster than --release.
  const { ok, output } = await run('cargo', ['test', '--workspace', '--locked', '--no-fail-fast'])
  const counts = { passed: 0, failed: 0 }
  for (const [, passed, failed] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    counts.passed += Number(passed)
    counts.failed += Number(failed)
  }
  return withStep(ok, counts)
}

/**
 * Runs only together with all tests, not with a selection of jest's.
 * @returns {Promise<Counts>}
 */
async function instructions () {
  return process.argv.length > 2 ? { passed: 0, failed: 0 } : checkInstructions()
}

/**
 * Builds the core that panics on demand, for __test__/process/panics.test.js. cargo's tests have already built all dependencies.
 * @returns {Promise<Record<string, string>>}
 */
async function failpoints () {
  const chosen = process.argv.slice(2)
  if (chosen.length > 0 && !chosen.some(one => one.includes('panics'))) return {}
  const { ok } = await run('cargo', ['build', '--locked', '--lib', '--features', 'failpoints'])
  if (!ok) throw new ScriptError('the core for the tests of panics could not be built')
  const names = /** @type {Record<string, string>} */ ({ win32: 'aerospike_session.dll', darwin: 'libaerospike_session.dylib' })
  // A copy, because the next build without the feature overwrites the file.
  const core = path.join(ROOT, '.cache/failpoints.node')
  fs.mkdirSync(path.dirname(core), { recursive: true })
  fs.copyFileSync(path.join(ROOT, 'target/debug', names[process.platform] ?? 'libaerospike_session.so'), core)
  return { TEST_FAILPOINTS: core }
}

/**
 * Runs jest on a runtime, and adds a line to the table.
 * @param {import('./runtimes').Runtime} runtime
 * @param {{ program: string, version: string }} found
 * @param {string[]} args of jest
 * @param {Record<string, string>} env
 * @returns {Promise<Counts>}
 */
async function runJest (runtime, { program, version }, args, env) {
  fs.rmSync(RESULTS, { force: true })
  const { ok } = await run(program, [...runtime.jest, '--json', `--outputFile=${RESULTS}`, ...args], env)
  if (!fs.existsSync(RESULTS)) return withStep(ok, { passed: 0, failed: 0 })
  const results = JSON.parse(fs.readFileSync(RESULTS, 'utf8'))
  /** @type {{ status: string, fullName: string }[]} */
  const tests = results.testResults.flatMap((/** @type {any} */ file) => file.assertionResults)
  const skipped = tests.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName)
  const counts = withStep(ok, { passed: results.numPassedTests, failed: results.numFailedTests + results.numRuntimeErrorTestSuites, skipped })
  table.push([
    runtime.title, version, args.length === 0 ? 'all' : 'a selection', String(counts.passed), String(counts.failed), String(skipped.length)
  ])
  return counts
}

/** @returns {Promise<Counts>} */
async function jest () {
  const found = await preparePython()
  /** @type {Record<string, string>} */
  const env = 'python' in found ? { TEST_PYTHON: found.python } : { TEST_PYTHON_MISSING: found.reason }
  if ('sdkReason' in found && found.sdkReason !== undefined) env.TEST_PYTHON_SDK_MISSING = found.sdkReason
  const own = RUNTIMES.find(({ name }) => name === `node${process.versions.node.split('.')[0]}`) ?? RUNTIMES[0]
  const program = { program: process.execPath, version: process.versions.node }
  return runJest(own, program, process.argv.slice(2), { ...env, ...await failpoints() })
}

/**
 * Runs some tests on the other runtimes. `RUNTIMES=required`: a runtime that is missing is a failure.
 * @returns {Promise<Counts>}
 */
async function otherRuntimes () {
  /** @type {Required<Counts>} */
  const total = { passed: 0, failed: 0, skipped: [] }
  const others = process.argv.length > 2 ? [] : RUNTIMES.filter(({ name }) => name !== `node${process.versions.node.split('.')[0]}`)
  for (const runtime of others) {
    const found = await prepareRuntime(runtime)
    if ('reason' in found) {
      console.log(`${runtime.title} ${runtime.version}: ${found.reason}`)
      if (process.env.RUNTIMES === 'required') total.failed += 1
      total.skipped.push(`${runtime.title} ${runtime.version}: ${found.reason}`)
      continue
    }
    console.log(`-- ${runtime.title} ${found.version}`)
    const { passed, failed, skipped } = await runJest(runtime, found, ON_EVERY_RUNTIME, environment(runtime, found.program))
    total.passed += passed
    total.failed += failed
    total.skipped.push(...(skipped ?? []).map(name => `${runtime.title} ${found.version}: ${name}`))
  }
  return total
}

/** Prints the runtimes with the numbers of their tests. */
function printTable () {
  const widths = table[0].map((_, column) => Math.max(...table.map(row => row[column].length)))
  for (const row of table) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd())
}

async function test () {
  const total = { passed: 0, failed: 0 }
  /** @type {string[]} */
  const skipped = []
  try {
    console.log('== Build')
    build()
    const steps = {
      'Rust tests (cargo)': cargo,
      'Instructions (callgrind)': instructions,
      'JavaScript and type tests (jest)': jest,
      'Other runtimes (jest)': otherRuntimes
    }
    for (const [name, step] of Object.entries(steps)) {
      console.log(`\n== ${name}`)
      const counts = await step()
      total.passed += counts.passed
      total.failed += counts.failed
      skipped.push(...counts.skipped ?? [])
    }
  } catch (error) {
    console.error(error instanceof ScriptError ? error.message : error)
    total.failed += 1
  }
  console.log()
  printTable()
  console.log()
  for (const name of skipped) console.log(`skipped: ${name}`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

runMain(test)
