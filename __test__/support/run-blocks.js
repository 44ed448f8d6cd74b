'use strict'

// Runs the JavaScript blocks of a page in its own process, one after the other. pages.test.js forks it with
// `{ blocks, folder, users }` and receives an array of `{ line, error, served }`.
//
// A block gets the variables that a page assumes (see `context`). Its hosts are those of a dev server, and its ports are free
// ones. Every store must connect. A line that ends in `// → value` must have that value.

const assert = require('node:assert')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { Server } = require('node:net')
const { createRequire } = require('node:module')
const { once } = require('node:events')

const ROOT = path.join(__dirname, '../..')
const lookUp = createRequire(path.join(ROOT, 'page.js'))
const aerospikeSession = require(ROOT)
const { DevServer } = require(path.join(ROOT, 'exports/dev-server'))

/** A string that only contains hosts of these pages. */
const HOST = '(?:10\\.0\\.0\\.\\d+|db\\d*\\.example\\.org|localhost)(?::\\d+)?'
const HOSTS = new RegExp(`(['"])${HOST}(?:,${HOST})*\\1`, 'g')
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor

/** Objects that blocks have created, to be closed. */
const made = { stores: [], listening: [] }

/** Collects the objects that a class or function creates. */
function watch () {
  for (const name of ['AerospikeStore', 'SessionStore']) {
    const Real = aerospikeSession[name]
    aerospikeSession[name] = class extends Real {
      constructor (options) {
        super(options)
        made.stores.push(this)
      }
    }
    Object.defineProperty(aerospikeSession[name], 'name', { value: name })
  }
  const listen = Server.prototype.listen
  Server.prototype.listen = function (port, ...args) {
    if (typeof port !== 'number') return listen.call(this, port, ...args)
    made.listening.push(this)
    return listen.call(this, 0, '127.0.0.1', ...args.filter(arg => typeof arg === 'function'))
  }
}

/** Turns `await x // → 1` into a check of the value. */
function checked (code) {
  return code.replace(/^(\s*)(?:(const|let) (\w+) = )?(.+?)\s*\/\/ → (.+)$/gm, (_, indent, keyword, name, expression, value) => {
    const check = `__equal(${name ?? expression}, ${value}, ${JSON.stringify(expression)})`
    return indent + (name === undefined ? check : `${keyword} ${name} = ${expression}; ${check}`)
  })
}

/** The variables that the pages assume. */
async function context (hosts, folder) {
  const express = lookUp('express')
  const session = lookUp('express-session')
  const store = new aerospikeSession.AerospikeStore({ hosts, storeIds: true, user: 'userId' })
  const sessions = new aerospikeSession.SessionStore({ hosts })
  await store.createUserIndex()
  const isInFolder = name => /^\.\.?\//.test(name)
  return {
    require: name => isInFolder(name) ? require(path.join(folder, name)) : lookUp(name),
    AerospikeStore: aerospikeSession.AerospikeStore,
    SessionStore: aerospikeSession.SessionStore,
    AerospikeSessionError: aerospikeSession.AerospikeSessionError,
    DevServer,
    express,
    session,
    app: express(),
    store,
    sessions,
    secret: 'only for tests',
    vault: { read: async () => ({ user: 'ada', password: 'secret' }) },
    __equal: (actual, expected, what) => assert.deepStrictEqual(actual, expected, what)
  }
}

/** Returns the answers to two visits of one visitor to the first page. */
async function visits (server) {
  if (!server.listening) await once(server, 'listening')
  const answers = []
  let cookie = ''
  for (let n = 0; n < 2; n++) {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { cookie } })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    answers.push(`${response.status} ${await response.text()}`)
  }
  return answers
}

async function run (block, names, folder) {
  const before = made.stores.length
  const served = []
  if (/^import /m.test(block.code)) {
    const file = path.join(folder, `line-${block.line}.mjs`)
    fs.writeFileSync(file, block.code)
    await import(file)
  } else {
    const known = Object.keys(names)
    await new AsyncFunction(...known, `{\n${checked(block.code)}\n}`)(...Object.values(names))
  }
  for (const server of made.listening.splice(0)) {
    if (server instanceof http.Server) served.push(...await visits(server))
    server.closeAllConnections?.()
    server.close()
  }
  for (const store of made.stores.slice(before)) await connected(store)
  return served
}

async function connected (store) {
  try {
    await store.ready()
  } catch (error) {
    if (error.code !== 'CLOSED') throw error
  }
}

async function main ({ blocks, folder, users }) {
  watch()
  const plain = await DevServer.start()
  // Hosts at example.org use mutual TLS. A server for other hosts requires a password if the page has users.
  const secure = await DevServer.start({ tls: { mutual: true } })
  const guarded = users === undefined ? plain : await DevServer.start({ security: { users } })
  const { cafile, certfile, keyfile } = await secure.writeTlsFiles(folder)
  for (const [from, to] of [[certfile, 'app.pem'], [keyfile, 'app.key'], [cafile, 'node.pem']]) fs.copyFileSync(from, path.join(folder, to))
  Object.assign(process.env, {
    AEROSPIKE_HOSTS: guarded.hosts,
    SESSION_SECRET: 'only for tests',
    SESSION_KEY: Buffer.alloc(32, 7).toString('base64'),
    SESSION_ID_SECRET: 'a secret of more than sixteen bytes'
  })
  const names = await context(plain.hosts, folder)
  const outcomes = []
  let failure
  process.on('unhandledRejection', error => { failure ??= error })
  for (const block of blocks) {
    const code = block.code
      .replace(HOSTS, hosts => `'${hosts.includes('example.org') ? secure.hosts : plain.hosts}'`)
      .replaceAll('/etc/aerospike', folder)
    failure = undefined
    let error
    let served = []
    try {
      served = await run({ ...block, code }, names, folder)
      await new Promise(resolve => setImmediate(resolve))
      error = failure
    } catch (thrown) {
      error = thrown
    }
    outcomes.push({ line: block.line, served, error: error && String(error.stack ?? error) })
  }
  await new Promise(resolve => process.send(outcomes, resolve))
  process.exit()
}

process.once('message', main)
