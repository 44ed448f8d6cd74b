'use strict'

// Runs the command line in its own process.

const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')

const CLI = path.join(__dirname, '../../bin/aerospike-session.js')

/** The environment variables that a command needs. Others could change its output: NO_COLOR, CI, AEROSPIKE_HOSTS. */
const KEPT = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH']

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()

function environment (env) {
  const kept = Object.entries(process.env).filter(([name]) => KEPT.includes(name))
  return { ...Object.fromEntries(kept), ...env }
}

/** Starts a command. It is killed after the tests of the file at the latest. */
function launch (command, args, { env = {} } = {}) {
  const child = spawn(command, args, { env: environment(env), stdio: ['pipe', 'pipe', 'pipe'] })
  children.add(child)
  child.stdin.on('error', () => {})
  return child
}

async function ended (child) {
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', data => { texts.out += data })
  child.stderr.setEncoding('utf8').on('data', data => { texts.err += data })
  const [code] = await once(child, 'close')
  return { code, ...texts }
}

/** Runs the command line until it exits. `node` has arguments for Node.js itself. */
function run (args, { env, node = [] } = {}) {
  const child = launch(process.execPath, [...node, CLI, ...args], { env })
  child.stdin.end()
  return ended(child)
}

/** Why there is no terminal, or undefined if there is one. */
function noTerminal () {
  return spawnSync('script', ['--version']).status === 0 ? undefined : 'no script(1) here to make a terminal'
}

/**
 * Runs a command on a terminal that gets both outputs. `typed` is typed as soon as the terminal shows `prompt`.
 */
async function runOnTerminal (args, { env, typed, prompt } = {}) {
  const quoted = [process.execPath, CLI, ...args].map(word => `'${word}'`).join(' ')
  const child = launch('script', ['-qec', quoted, '/dev/null'], { env: { TERM: 'xterm-256color', ...env } })
  let shown = ''
  child.stdout.on('data', data => {
    shown += data
    if (typed !== undefined && shown.includes(prompt)) {
      child.stdin.write(typed)
      typed = undefined
    }
  })
  const { code, out } = await ended(child)
  return { code, out }
}

if (typeof afterAll === 'function') {
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
}

module.exports = { CLI, ended, launch, noTerminal, run, runOnTerminal }
