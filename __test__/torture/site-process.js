'use strict'

// One process of the site: Express, express-session and the store. It acknowledges a change only after it is stored. Every
// answer contains the session as it was read before.

const fs = require('node:fs')
const { once } = require('node:events')
const { setTimeout: pass } = require('node:timers/promises')
const express = require('express')
const session = require('express-session')
const { AerospikeStore, renew } = require('../..')
const { serve } = require('./child')
const { Stopwatch, measured } = require('./measured-store')
const { PLANTS } = require('./saboteurs')

/** @type {AerospikeStore} */
let store
/** @type {import('node:http').Server} */
let server
/** @type {Stopwatch} */
let watch
/** Seconds until an old id leads nowhere: longer than a test takes. */
const GRACE = 40_000
/** Seconds. */
const WATCH_INTERVAL = 1

/** The watches that run, by the number of the session. @type {Map<number, { stop: () => void }>} */
const watches = new Map()
/** The watches that have ended since the last look. @type {{ number: number, reason: string }[]} */
const ended = []
/** Errors after the answer was sent: of touches at the end of a request. @type {Record<string, number>} */
const unseen = {}

/**
 * Returns what the session held when the request started; null if there was none.
 * @param {any} req
 */
function seen (req) {
  const { user, number, pad, cookie, ...keys } = req.session
  if (user === undefined && number === undefined && Object.keys(keys).length === 0) return null
  return { user, number, isWhole: pad === padOf(number), keys }
}

/**
 * Returns 300 characters that are unique to this session.
 * @param {any} number
 */
function padOf (number) {
  return `${number}-`.padEnd(300, 'é"\\x')
}

/** @param {(done: (error?: any) => void) => void} work */
function promised (work) {
  return /** @type {Promise<void>} */ (new Promise((resolve, reject) => work(error => error ? reject(error) : resolve())))
}

/** @param {AerospikeStore} store */
function site (store) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(session({
    store, secret: 'a secret for the torture test', resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 }
  }))

  app.post('/login', async (req, res) => {
    const { user, number } = req.query
    await promised(done => req.session.regenerate(done))
    Object.assign(req.session, { user, number: Number(number), pad: padOf(number) })
    await promised(done => req.session.save(done))
    res.json({})
  })

  app.get('/state', (req, res) => { res.json({ seen: seen(req) }) })

  app.post('/set', async (req, res) => {
    const found = seen(req)
    const { key, value, wait } = /** @type {Record<string, string>} */ (req.query)
    if (found !== null) {
      if (Number(wait) > 0) await pass(Number(wait))
      const data = /** @type {any} */ (req.session)
      data[key] = Number(value)
      await promised(done => req.session.save(done))
    }
    res.json({ seen: found })
  })

  app.post('/renew', async (req, res) => {
    const found = seen(req)
    if (found !== null) await renew(req, { grace: GRACE })
    res.json({ seen: found })
  })

  app.post('/watch', (req, res) => {
    const found = seen(req)
    if (found !== null && !watches.has(found.number)) watchSession(found.number, req.sessionID)
    res.json({ seen: found })
  })

  app.post('/logout', async (req, res) => {
    const found = seen(req)
    if (found !== null) await promised(done => req.session.destroy(done))
    res.json({ seen: found })
  })

  app.post('/logout-everywhere', async (req, res) => {
    const found = seen(req)
    if (found !== null) await store.destroyOf(found.user)
    res.json({ seen: found })
  })

  app.use((/** @type {any} */ error, /** @type {any} */ req, /** @type {any} */ res, /** @type {any} */ next) => {
    const code = error.code ?? error.message
    // Has nothing more to store. Otherwise the end of the answer would fail again, and Express would close the connection.
    req.session = null
    if (res.headersSent) unseen[code] = (unseen[code] ?? 0) + 1
    else res.status(503).json({ code: String(code), message: error.message })
  })
  return app
}

/**
 * @param {number} number
 * @param {string} sid
 */
function watchSession (number, sid) {
  const watched = store.watch(sid)
  watches.set(number, watched)
  watched.signal.addEventListener('abort', () => {
    watches.delete(number)
    ended.push({ number, reason: watched.signal.reason })
  })
}

function openFiles () {
  try {
    return fs.readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

serve({
  /**
   * @param {{ hosts: string, set: string, format: 'map' | 'json', timeout: number, tombstones: boolean,
   *   maxSessionsPerUser: number, plant?: string }} options
   */
  async open ({ plant, timeout, ...options }) {
    watch = new Stopwatch(timeout)
    const Store = plant === undefined ? AerospikeStore : PLANTS[plant](AerospikeStore)
    store = /** @type {any} */ (new (measured(/** @type {any} */ (Store), watch))({ ...options, timeout, user: 'user', ttl: 3_600, watchInterval: WATCH_INTERVAL }))
    store.on('warning', () => {})
    await store.ready()
    await store.createUserIndex()
    // Does not close connections while requests are being sent on them.
    server = site(store).listen(0, '127.0.0.1')
    server.keepAliveTimeout = 600_000
    await once(server, 'listening')
    return /** @type {import('node:net').AddressInfo} */ (server.address()).port
  },

  /** Returns what has happened since the last call, and the used resources. */
  look () {
    const late = watch.late.splice(0)
    const { operations, pending, oldest, longest } = watch
    return { operations, pending, oldest, longest, late, unseen, ended: ended.splice(0), memory: process.memoryUsage.rss(), files: openFiles() }
  },

  /** Returns the numbers of the sessions that are still watched. */
  watched () {
    return [...watches.keys()]
  },

  /** Ends everything that keeps the process alive. It must then exit by itself. @param {{ clear: boolean }} options */
  async close ({ clear }) {
    server.closeAllConnections()
    server.close()
    if (clear) await store.clear()
    await store.close()
    return { pending: watch.pending }
  }
})
