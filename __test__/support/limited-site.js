'use strict'

// An Express site whose users may have a limited number of sessions, in a process of its own (fork-site.js). It sends its
// events to the test.

const express = require('express')
const session = require('express-session')
const { AerospikeStore } = require('../..')
const { siteConfig } = require('./fork-site')

const { options } = siteConfig()
const store = new AerospikeStore(options)
for (const event of ['evicted', 'warning']) store.on(event, value => process.send([event, value]))

const app = express()
app.use(session({ secret: 'only for tests', resave: false, saveUninitialized: false, store }))
app.post('/login/:user', (req, res, next) => req.session.regenerate(error => {
  if (error) return next(error)
  req.session.userId = req.params.user
  req.session.save(error => error ? next(error) : res.json(req.params.user))
}))
app.get('/', (req, res) => res.status(req.session.userId === undefined ? 401 : 200).json(req.session.userId ?? null))

store.ready().then(() => {
  const server = app.listen(0, '127.0.0.1', () => process.send(['port', server.address().port]))
})
