'use strict'

// Keys, records and an application for the tests of encrypted sessions. The files that require this run its hooks.

const crypto = require('node:crypto')
const { serve, Visitor } = require('./http')
const { OfficialClient } = require('./official-client')
const { keyIdOf } = require('./record')
const { hosts } = require('./server')

const [KEY, OTHER] = [crypto.randomBytes(32), crypto.randomBytes(32)]
const DAY = 86_400_000

/** @type {OfficialClient} */
let client
const sites = []
beforeAll(async () => { client = await OfficialClient.connect(hosts()) })
afterAll(async () => {
  for (const site of sites) await site.stop()
  await client.close()
})

/** Returns a record as the official client reads it. */
const record = (set, id) => client.get('test', set, id)
const bins = async (set, id) => (await record(set, id)).bins
const put = (set, id, bins, ttl = 600, namespace = 'test') => client.put([namespace, set, id], bins, ttl)

/** Returns the key id of each encrypted bin of a record. */
async function keysOf (set, id) {
  const { data, cookie } = await bins(set, id)
  return [data, cookie].map(blob => Buffer.isBuffer(blob) ? keyIdOf(blob) : typeof blob)
}

/** Loads a session, changes it and sets it, like a request. */
async function request (store, sid, change) {
  const loaded = await store.get(sid)
  change(loaded)
  await store.set(sid, loaded)
}

/** Returns the stored data without the cookie. */
async function data (store, sid) {
  const { cookie, ...data } = await store.get(sid)
  return data
}

/** Starts an app in which a visitor logs in and out, reads, and changes a key. The path `slow` waits for the test. */
async function visit (store, gates = {}) {
  const site = await serve(store, app => {
    app.get('/login', (req, res) => {
      Object.assign(req.session, { user: 'ada lovelace', card: '4111 1111 1111 1111' })
      req.session.cookie.path = '/'
      req.session.cookie.domain = 'domain-of-the-cookie.example'
      res.json(req.sessionID)
    })
    app.get('/read', (req, res) => res.json({ ...req.session, cookie: undefined }))
    app.get('/set/:key', async (req, res) => {
      req.session[req.params.key] = 'changed'
      await gates[req.params.key]?.()
      res.json(null)
    })
    app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
  }, { cookie: { maxAge: DAY } })
  sites.push(site)
  const visitor = new Visitor(site.url)
  const { body: sid } = await visitor.get('/login')
  return { site, visitor, sid }
}

/** Returns another tab of the same browser. */
function beside (visitor) {
  return Object.assign(new Visitor(visitor.url), { cookies: visitor.cookies })
}

module.exports = { DAY, KEY, OTHER, beside, bins, data, keysOf, put, record, request, sites, visit }
