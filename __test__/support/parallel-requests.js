'use strict'

// Parallel requests to sites in one or two processes, over real HTTP and real Express, for the tests in __test__/concurrency.
// A request pauses at a gate until the test opens it, so that the test controls the order of events.
//
// Requiring this file checks after each test that no write failed, and stops all sites after the last test.

const crypto = require('node:crypto')
const { freshSet, openStore } = require('./server')
const { serve, Visitor } = require('./http')

const DAY = 86_400_000
const KEY = crypto.randomBytes(32)
const VIEWS = [
  ['as a map', { format: 'map' }],
  ['as JSON', { format: 'json' }],
  ['encrypted', { encryptionKeys: [KEY] }],
  ['as a map, the last write winning', { format: 'map', conflict: 'overwrite' }],
  ['as JSON, the last write winning', { format: 'json', conflict: 'overwrite' }],
  ['encrypted, the last write winning', { encryptionKeys: [KEY], conflict: 'overwrite' }]
]
const MERGING = VIEWS.slice(0, 3)
const OVERWRITING = VIEWS.slice(3)

/** The handlers of requests, by path. */
const handlers = new Map()
const running = []

/** A browser tab. It passes the handler that the server runs for each request. */
class Tab extends Visitor {
  constructor (site) {
    super(site.url)
    this.site = site
  }

  ask (handler, under = '') {
    const name = String(handlers.size)
    handlers.set(name, handler)
    return this.get(`${under}/${name}`)
  }

  /** Returns another tab of the same browser. */
  beside (site = this.site) {
    const tab = new Tab(site)
    tab.cookies = this.cookies
    return tab
  }

  /** Returns another browser with a copy of the cookies. */
  copy (site = this.site) {
    const tab = new Tab(site)
    tab.cookies = new Map(this.cookies)
    return tab
  }

  /** Logs in. Returns the id of the new session. */
  async login (data = { user: 'ada' }) {
    const { status, body } = await this.ask(async req => {
      Object.assign(req.session, data)
      return req.sessionID
    })
    expect(status).toBe(200)
    return body
  }
}

function pages (app) {
  const answer = async (req, res) => res.json(await handlers.get(req.params.name)(req) ?? null)
  app.get('/:name', answer)
  app.get('/:section/:name', answer)
}

/** Starts a site on a store. Collects the store's events. */
async function open (store, options, routes = pages) {
  const site = await serve(store, routes, { cookie: { maxAge: DAY }, ...options })
  Object.assign(site, { store, gone: [], conflicts: [] })
  store.on('gone', event => site.gone.push(event))
  store.on('conflict', event => site.conflicts.push(event))
  running.push(site)
  return site
}

/**
 * Starts two sites on the same set for all tests of a describe block, like two processes behind a load balancer. Each test
 * gets a new visitor of the first site, and empty lists of events.
 */
function twoProcesses (options, others = options, ofSite = {}) {
  const pair = { sites: [] }
  beforeAll(async () => {
    pair.set = freshSet()
    for (const each of [options, others]) pair.sites.push(await open(openStore({ ...each, set: pair.set }), ofSite))
    pair.store = pair.sites[0].store
  })
  beforeEach(() => {
    for (const { gone, conflicts } of pair.sites) gone.length = conflicts.length = 0
    pair.visitor = new Tab(pair.sites[0])
  })
  return pair
}

/** Creates a gate. `reached` resolves when a request is paused at it. `open()` lets the request continue. */
function gate () {
  const made = {}
  made.reached = new Promise(resolve => { made.arrive = resolve })
  made.opened = new Promise(resolve => { made.open = resolve })
  made.pass = () => { made.arrive(); return made.opened }
  return made
}

/** Returns a function whose promises all resolve when it has been called `count` times. */
function barrier (count) {
  const { open, opened } = gate()
  return () => {
    if (--count === 0) open()
    return opened
  }
}

/** Starts a request that loads its session and then pauses. `finish` lets it continue and returns the answer. */
async function pausedRequest (tab, handler) {
  const at = gate()
  const answer = tab.ask(req => handler(req, at.pass))
  await Promise.race([at.reached, answer.then(({ status, body }) => {
    throw new Error(`the request ended before the gate: ${status} ${JSON.stringify(body)}`)
  })])
  return { finish: () => { at.open(); return answer } }
}

/** Calls a method of a session. Returns a promise. */
const call = (session, method) => new Promise((resolve, reject) => {
  session[method](error => error ? reject(error) : resolve())
})

const logout = req => call(req.session, 'destroy')

/** Returns the stored data of a session without its cookie, or null. */
async function storedData (store, sid) {
  const found = await store.get(sid)
  if (found === null) return null
  const { cookie, ...data } = found
  return data
}

/** Returns a record's digest: Aerospike hashes the set, the key type (3: string) and the key. */
function digest (set, sid) {
  return crypto.createHash('ripemd160').update(`${set}\u0003${sid}`).digest('hex')
}

const range = count => Array.from({ length: count }, (_, n) => n)

/** Sends a request from each tab in parallel. */
const askAll = (tabs, handler) => Promise.all(tabs.map((tab, n) => tab.ask(req => handler(req, n))))

afterEach(() => {
  // A write may fail after the response was sent.
  expect(running.flatMap(({ errors }) => errors.splice(0))).toStrictEqual([])
})

afterAll(async () => {
  for (const site of running) await site.stop()
})

module.exports = {
  DAY, MERGING, OVERWRITING, Tab, VIEWS, askAll, barrier, call, digest, gate, logout, open, pages, pausedRequest, range, storedData, twoProcesses
}
