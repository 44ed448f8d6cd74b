'use strict'

// The process of one Express site: a page that reads the session, and one that writes it.

const http = require('node:http')
const { once } = require('node:events')
const express = require('express')
const session = require('express-session')
const { serve } = require('../child')
const { readClocks, usedSince } = require('../clocks')
const { PEERS } = require('../peers')
const { makeSession } = require('../session')

/** @type {import('../peers').Opened} */
let opened
let clocks = readClocks()
let requests = 0

/** @param {import('express-session').Store} store */
function site (store) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(session({ store, secret: 'a secret for the benchmark', resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 } }))
  app.get('/login', (req, res) => {
    const { cookie, ...data } = makeSession(0.5)
    Object.assign(req.session, data)
    res.send('welcome')
  })
  app.get('/read', (req, res) => {
    requests += 1
    const { user } = /** @type {any} */ (req.session)
    res.send(`hello ${user.name}`)
  })
  app.get('/write', (req, res) => {
    requests += 1
    const data = /** @type {any} */ (req.session)
    data.views += 1
    res.send(`page ${data.views} of ${data.user.name}`)
  })
  return app
}

/**
 * Returns the cookies of visitors who have logged in.
 * @param {string} url
 * @param {number} count
 */
async function logIn (url, count) {
  const visitors = Array.from({ length: count }, async () => {
    const response = await fetch(`${url}/login`)
    const [cookie] = response.headers.getSetCookie()
    return cookie.split(';', 1)[0]
  })
  return Promise.all(visitors)
}

serve({
  /** @param {import('../peers').Places & { store: string, visitors: number }} options */
  async open ({ store, visitors, ...places }) {
    opened = await PEERS[store].open(places)
    const server = http.createServer(site(opened.store)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    const url = `http://127.0.0.1:${port}`
    return { url, cookies: await logIn(url, visitors) }
  },

  start () {
    clocks = readClocks()
    requests = 0
  },

  /** Returns the resources used by the requests since `start`. */
  used: () => usedSince(clocks, requests),

  /** @param {{ clear: boolean }} options */
  close: ({ clear }) => opened.close(clear)
})
