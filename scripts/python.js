'use strict'

// Installs a Python environment with PyPI's `aerospike` and `aerospike-sdk`, for the tests with another language's official
// client. It is kept in .cache/python.

const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { ROOT } = require('./build')

const execFile = promisify(require('node:child_process').execFile)

const CLIENT = 'aerospike==19.3.0'
// Needs Python 3.11. If it cannot be installed, the tests of the client still run.
const SDK = 'aerospike-sdk==1.0.0'
const HOME = path.join(ROOT, '.cache/python')
const PYTHON = path.join(HOME, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
const STAMP = path.join(HOME, 'installed')

/** @param {string} [what] */
function isPrepared (what = CLIENT) {
  return fs.existsSync(PYTHON) && fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8').split('\n').includes(what)
}

/** @param {string} what */
async function install (what) {
  await step(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', what], `pip cannot install ${what}`)
  fs.appendFileSync(STAMP, `${what}\n`)
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} failure
 */
async function step (command, args, failure) {
  try {
    await execFile(command, args, { cwd: ROOT })
  } catch (error) {
    const { code, stderr, stdout } = /** @type {any} */ (error)
    const output = `${stderr || stdout || ''}`.trim().split('\n').at(-1)
    throw new Error(code === 'ENOENT' ? `there is no ${command}` : `${failure}: ${output}`)
  }
}

/**
 * Installs the SDK next to the client.
 * @returns {Promise<string | undefined>} why it is missing; undefined if it is installed
 */
async function prepareSdk () {
  try {
    if (!isPrepared(SDK)) await install(SDK)
    await step(PYTHON, ['-c', 'import aerospike_sdk'], 'its aerospike_sdk module does not load')
  } catch (error) {
    return /** @type {Error} */ (error).message
  }
}

/**
 * Creates the environment if it is missing.
 * @returns {Promise<{ python: string, sdkReason?: string } | { reason: string }>} the interpreter, or why there is none
 */
async function preparePython () {
  try {
    if (!isPrepared()) {
      await step('python3', ['-m', 'venv', '--clear', HOME], 'python3 has no venv')
      await install(CLIENT)
    }
    await step(PYTHON, ['-c', 'import aerospike'], 'its aerospike module does not load')
    return { python: PYTHON, sdkReason: await prepareSdk() }
  } catch (error) {
    // An environment that does not work is created again the next time.
    fs.rmSync(STAMP, { force: true })
    return { reason: /** @type {Error} */ (error).message }
  }
}

module.exports = { preparePython }
