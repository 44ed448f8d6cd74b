'use strict'

// The servers of the stores: Aerospike (the cluster in AEROSPIKE_HOSTS, or a dev server in its own process) and a Redis without
// persistence.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { ROOT, ScriptError } = require('../scripts/build')
const { loadAerospike } = require('./untyped')

/** @typedef {{ hosts: string, name: string, stop: () => Promise<void> }} Aerospike */
/** @typedef {{ url: string, name: string, stop: () => Promise<void> }} Redis */

/** @param {import('node:child_process').ChildProcess} child */
async function stop (child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

/** @returns {Promise<Aerospike>} */
async function startAerospike () {
  const hosts = process.env.AEROSPIKE_HOSTS
  if (hosts) return { hosts, name: `Aerospike ${await build(hosts)}`, stop: async () => {} }
  const child = spawn(process.execPath, [path.join(ROOT, 'bin/aerospike-session.js'), 'dev-server', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const found = /on (\S+),/.exec(line)
    if (found) return { hosts: found[1], name: 'the dev server', stop: () => stop(child) }
  }
  throw new ScriptError('The dev server did not start.')
}

/**
 * Returns the server's product and version.
 * @param {string} hosts
 */
async function build (hosts) {
  const aerospike = loadAerospike()
  try {
    const client = await aerospike.connect({ hosts, log: { level: aerospike.log.OFF } })
    const answer = await client.infoAny('build')
    client.close()
    return answer.split(/\s/)[1]
  } catch (error) {
    throw new ScriptError(`No Aerospike answers at ${hosts}: ${/** @type {Error} */ (error).message}`)
  }
}

async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {net.AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** @returns {Promise<Redis | undefined>} undefined if this machine has no redis-server */
async function startRedis () {
  const { stdout, error } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  if (error) return undefined
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? 'of unknown version'
  const port = await freePort()
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'], cwd: os.tmpdir()
  })
  for await (const line of readline.createInterface({ input: child.stdout })) {
    if (!/ready to accept connections/i.test(line)) continue
    child.stdout.resume()
    return { url: `redis://127.0.0.1:${port}`, name: `Redis ${version}`, stop: () => stop(child) }
  }
  throw new ScriptError('redis-server did not start.')
}

/** @param {string[]} packages */
function versions (packages) {
  return packages.map(name => `${name} ${require(path.join(ROOT, 'node_modules', name, 'package.json')).version}`)
}

module.exports = { startAerospike, startRedis, versions }
