'use strict'

// The site of framework-races.js with express-openid-connect, for logged-in users. Its data is stored in the session next to the
// tokens.

const http = require('node:http')
const { once } = require('node:events')
const express = require('express')
const { auth } = require('express-openid-connect')
const { AerospikeStore } = require('aerospike-session')
const { siteConfig, siteIsOpen } = require('./fork-site')
const { Gates } = require('./gates')

async function main () {
  const { options, issuer } = siteConfig()
  const store = new AerospikeStore(options)
  const gates = new Gates()
  const app = express()
  const server = http.createServer(app).listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  app.use(auth({
    issuerBaseURL: issuer,
    baseURL: `http://localhost:${port}`,
    clientID: 'shop',
    clientSecret: 'only for tests',
    secret: 'only for tests, but of 32 characters',
    authRequired: false,
    authorizationParams: { response_type: 'code' },
    session: { name: 'sid', store, signSessionStoreCookie: true }
  }))
  app.get('/put', (req, res) => {
    req.sid[req.query.key] = req.query.value
    res.json({})
  })
  app.get('/session', async (req, res) => {
    await gates.pass(req.query.gate)
    const { user, news } = { user: req.oidc.user?.sub, news: req.sid.news }
    res.json({ user, news })
  })
  siteIsOpen(gates, store, port)
}

main()
