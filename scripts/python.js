'use strict'

// A Python with PyPI's `aerospike`, for the tests that read what we write with another language's
// official client. Kept in .cache/python from one run to the next.

const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { ROOT } = require('./build')

const execFile = promisify(require('node:child_process').execFile)

const CLIENT = 'aerospike==19.3.0'
const HOME = path.join(ROOT, '.cache/python')
const PYTHON = path.join(HOME, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
const STAMP = path.join(HOME, 'installed')

function isPrepared () {
  return fs.existsSync(PYTHON) && fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8') === CLIENT
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
    const said = `${stderr || stdout || ''}`.trim().split('\n').at(-1)
    throw new Error(code === 'ENOENT' ? `there is no ${command}` : `${failure}: ${said}`)
  }
}

/**
 * Prepares it if need be.
 * @returns {Promise<{ python: string } | { reason: string }>} the interpreter, or why there is none
 */
async function preparePython () {
  try {
    if (!isPrepared()) {
      await step('python3', ['-m', 'venv', '--clear', HOME], 'python3 has no venv')
      await step(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', CLIENT], `pip cannot install ${CLIENT}`)
      fs.writeFileSync(STAMP, CLIENT)
    }
    await step(PYTHON, ['-c', 'import aerospike'], 'its aerospike module does not load')
    return { python: PYTHON }
  } catch (error) {
    // What does not work is made anew the next time.
    fs.rmSync(STAMP, { force: true })
    return { reason: /** @type {Error} */ (error).message }
  }
}

module.exports = { preparePython }
