'use strict'

// Runs the example shop in its own process.

const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')

const ROOT = path.join(__dirname, '../..')

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()

/**
 * Starts the shop. Resolves with its address when it listens. Shops that still run after all tests of the file are killed.
 * @param {Record<string, string>} env
 */
async function openShop (env) {
  return launch('examples/express/app.js', { NODE_ENV: 'development', PORT: '0', ...env })
}

/**
 * Starts a script that prints `Shop: ` and the shop's address.
 * @param {string} script
 * @param {Record<string, string>} env
 * @param {{ detached?: boolean }} [options] `detached`: in a process group of its own, as in a terminal
 */
async function launch (script, env, options = {}) {
  const child = spawn(process.execPath, [script], { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  children.add(child)
  const exit = once(child, 'exit')
  let errorOutput = ''
  child.stderr.on('data', data => { errorOutput += data })
  const firstLine = new Promise(resolve => {
    readline.createInterface({ input: child.stdout }).on('line', line => {
      const [, url] = /^Shop: (http:\S+)/.exec(line) ?? []
      if (url !== undefined) resolve({ line, url })
    })
  })
  const { line, url } = await Promise.race([
    firstLine,
    exit.then(([code]) => { throw new Error(`the shop ended with ${code}: ${errorOutput}`) })
  ])
  const end = async (kill = () => child.kill('SIGTERM')) => {
    kill()
    const [code] = await exit
    return { code, errorOutput }
  }
  return { url, line, port: new URL(url).port, pid: child.pid, close: end }
}

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

module.exports = { openShop, launch }
