'use strict'

// An Express site whose sessions are renewed by the middleware, in a process of its own (fork-site.js). Each page takes a while,
// and may change a key of the session.

const { setTimeout: pass } = require('node:timers/promises')
const express = require('express')
const session = require('express-session')
const { AerospikeStore, renewal } = require('../..')
const { siteConfig } = require('./fork-site')

const { options, every, grace, site } = siteConfig()
const store = new AerospikeStore(options)
for (const event of ['gone', 'warning']) store.on(event, value => process.send([event, value]))

const app = express()
app.use(session({ secret: 'only for tests', resave: false, saveUninitialized: false, store, cookie: { maxAge: 86_400_000 }, ...site }))
app.use(renewal({ every, grace }))
app.post('/login/:user', (req, res) => {
  req.session.user = req.params.user
  res.json(req.sessionID)
})
app.get('/page', async (req, res) => {
  const { key, ms } = req.query
  await pass(Number(ms))
  if (key !== undefined && req.session.user !== undefined) req.session[key] = 1
  const { cookie, ...data } = req.session
  res.status(data.user === undefined ? 401 : 200).json({ data, id: req.sessionID })
})
app.use((error, req, res, next) => res.status(500).json({ code: error.code, message: error.message }))

store.ready().then(() => {
  const server = app.listen(0, '127.0.0.1', () => process.send(['port', server.address().port]))
})
