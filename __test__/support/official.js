'use strict'

// Programs written with Aerospike's clients, each in its own process. Without a client its tests are skipped with the reason.
// OFFICIAL_CLIENTS=required makes that a failure.

const readline = require('node:readline')
const { execFile, execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const { runtime } = require('./runtime')

const NOT_PREPARED = 'npm test prepares it'

/** Why there is no Python with PyPI's `aerospike`; undefined if there is. */
const pythonReason = process.env.TEST_PYTHON ? undefined : process.env.TEST_PYTHON_MISSING ?? NOT_PREPARED

/** The same for PyPI's `aerospike-sdk`. */
const sdkReason = pythonReason ?? process.env.TEST_PYTHON_SDK_MISSING

/** Why npm's `aerospike` does not load here; undefined if it does. */
function nodeReason () {
  if (runtime !== 'node') return "npm's aerospike is for Node.js"
  try {
    execFileSync(process.execPath, ['-e', 'require("aerospike")'], { cwd: __dirname, stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    return `npm's aerospike does not load: ${/^\w*Error.*$/m.exec(error.stderr)?.[0] ?? error.message}`
  }
}

/** Skips a group of tests if `reason` is set, unless the clients are required. */
function describeUnless (reason, name, tests) {
  if (reason === undefined || process.env.OFFICIAL_CLIENTS === 'required') describe(name, tests)
  else describe.skip(`${name} (${reason})`, tests)
}

/** Runs a program until it exits. Fails with its stderr. */
function runToEnd (command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout, stderr) => error ? reject(new Error(stderr || error.message)) : resolve(stdout))
  })
}

/** A Python program that takes one JSON command per line on stdin and returns one JSON answer per line on stdout. */
class PythonProgram {
  #stderr = ''

  constructor (...args) {
    if (pythonReason !== undefined) throw new Error(pythonReason)
    this.child = spawn(process.env.TEST_PYTHON, args)
    this.child.stderr.on('data', data => { this.#stderr += data })
    this.answers = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  async ask (command) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`)
    const { value, done } = await this.answers.next()
    if (done) throw new Error(`python ended: ${this.#stderr}`)
    const { ok, error } = JSON.parse(value)
    if (error !== undefined) throw new Error(error)
    return ok
  }

  async close () {
    if (this.child.exitCode !== null) return
    this.child.stdin.end()
    await once(this.child, 'exit')
  }
}

module.exports = { PythonProgram, describeUnless, nodeReason, pythonReason, runToEnd, sdkReason }
