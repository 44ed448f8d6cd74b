'use strict'

// npm test: builds what is needed, then runs the tests of the Rust code, then those of the package and its types. Arguments are
// passed to jest: `npm test -- malformed`. The last line counts cargo's and jest's tests.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { checkInstructions } = require('./instructions')
const { SUPPORTED, prepareNode } = require('./nodes')
const { preparePython } = require('./python')
const { strict } = require('./test-node')

const RESULTS = path.join(ROOT, '.cache/jest.json')
/** The tests that run on every supported version of Node.js: the installed package, and what uses the C interface of Node.js. */
const OTHER_NODES = ['package/install', 'contract/aerospike-store', 'contract/session-store', 'contract/contract.test', 'contract/http', 'contract/errors', 'process/worker-threads']

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
 * @param {string} node the program
 * @param {string[]} args
 * @param {Record<string, string>} env
 * @returns {Promise<Counts>}
 */
async function runJest (node, args, env) {
  fs.rmSync(RESULTS, { force: true })
  const { ok } = await run(node, ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${RESULTS}`, ...args], env)
  if (!fs.existsSync(RESULTS)) return withStep(ok, { passed: 0, failed: 0 })
  const results = JSON.parse(fs.readFileSync(RESULTS, 'utf8'))
  /** @type {{ status: string, fullName: string }[]} */
  const tests = results.testResults.flatMap((/** @type {any} */ file) => file.assertionResults)
  return withStep(ok, {
    passed: results.numPassedTests,
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: tests.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName)
  })
}

/** @returns {Promise<Counts>} */
async function jest () {
  const found = await preparePython()
  /** @type {Record<string, string>} */
  const env = 'python' in found ? { TEST_PYTHON: found.python } : { TEST_PYTHON_MISSING: found.reason }
  if ('sdkReason' in found && found.sdkReason !== undefined) env.TEST_PYTHON_SDK_MISSING = found.sdkReason
  return runJest(process.execPath, process.argv.slice(2), { ...env, ...await failpoints() })
}

/**
 * Runs the tests that depend most on Node.js on the other supported versions, with deprecations as errors. npm run test:node runs
 * all tests.
 * @returns {Promise<Counts>}
 */
async function otherNodes () {
  /** @type {Required<Counts>} */
  const total = { passed: 0, failed: 0, skipped: [] }
  const others = process.argv.length > 2 ? [] : SUPPORTED.filter(version => version !== process.versions.node.split('.')[0])
  for (const version of others) {
    const found = await prepareNode(version)
    if ('reason' in found) {
      total.skipped.push(`Node.js ${version}: ${found.reason}`)
      continue
    }
    console.log(`-- Node.js ${version}`)
    const { passed, failed } = await runJest(found.node, OTHER_NODES, strict(found.node))
    total.passed += passed
    total.failed += failed
  }
  return total
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
      'Other versions of Node.js (jest)': otherNodes
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
  for (const name of skipped) console.log(`skipped: ${name}`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

runMain(test)
