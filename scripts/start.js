'use strict'

// npm start: runs the example shop, on the development server unless AEROSPIKE_HOSTS names a cluster.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')

/** The file in which the dev server keeps the sessions, relative to this repository's root. */
const DATA = process.env.DEV_SERVER_DATA || '.cache/dev-server.data'
const SHOP_PORT = 8080
const SERVER_PORT = 3000

/**
 * @param {number} port
 * @param {string} [host]
 */
async function isFree (port, host) {
  const probe = net.createServer()
  try {
    await once(probe.listen(port, host), 'listening')
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

/** Returns the shop's port: the requested one, else the usual one, else any free one. */
async function shopPort () {
  const wanted = process.env.PORT
  if (!wanted) return await isFree(SHOP_PORT) ? SHOP_PORT : 0
  if (await isFree(Number(wanted))) return wanted
  throw new ScriptError(`The shop cannot listen on port ${wanted}: choose another PORT, or none.`)
}

/** Returns the cluster to use: its hosts, its name, and a function that stops it. */
async function cluster () {
  const hosts = process.env.AEROSPIKE_HOSTS
  if (hosts) return { hosts, name: `Aerospike at ${hosts}`, stop: async () => {} }
  const { DevServer } = require('../exports/dev-server')
  const data = path.resolve(ROOT, DATA)
  fs.mkdirSync(path.dirname(data), { recursive: true })
  const port = await isFree(SERVER_PORT, '127.0.0.1') ? SERVER_PORT : 0
  const server = await DevServer.start({ port, data })
    .catch(error => { throw new ScriptError(error.message) })
  return { hosts: server.hosts, name: `the dev server at ${server.hosts}, kept in ${DATA}`, stop: () => server.stop() }
}

async function start () {
  build()
  const port = String(await shopPort())
  const { hosts, name, stop } = await cluster()
  const shop = spawn(process.execPath, ['examples/express/app.js'], {
    cwd: ROOT,
    env: { ...process.env, AEROSPIKE_HOSTS: hosts, PORT: port },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  // ctrl-C in the terminal reaches the shop, too. The second signal has no effect.
  let stopping = false
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      stopping = true
      shop.kill('SIGTERM')
    })
  }
  const exit = once(shop, 'exit')
  readline.createInterface({ input: shop.stdout }).on('line', line => {
    console.log(line.startsWith('Shop: ') ? `${line}  (sessions on ${name})` : line)
  })
  const [code] = await exit
  await stop()
  process.exitCode = stopping ? 0 : code ?? 1
}

runMain(start)
