'use strict'

// The site of both chats: its sessions, and routes to log in and out.

const express = require('express')
const session = require('express-session')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, NODE_ENV, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000.
const store = new AerospikeStore({ set: AEROSPIKE_SET, user: 'user' })
const app = express()
if (isProduction) app.set('trust proxy', 'loopback, uniquelocal')
const sessions = session({
  store,
  name: 'sid',
  secret,
  resave: false,
  saveUninitialized: false,
  // With `sameSite`, browsers send no cookie with web sockets that other sites open.
  cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction, maxAge: 30 * 60 * 1000 }
})
app.use(sessions)

/** @param {any} req */
const answer = req => ({ user: req.session?.user ?? null, visits: req.session?.visits ?? 0 })

app.get('/', (/** @type {any} */ req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.json(answer(req))
})

app.post('/login', (/** @type {any} */ req, res, next) => {
  const { name } = req.query
  if (typeof name !== 'string' || name === '') return res.status(400).json({ error: 'a name is missing' })
  req.session.regenerate((/** @type {any} */ error) => {
    if (error) return next(error)
    req.session.user = name
    res.json(answer(req))
  })
})

app.post('/logout', (req, res, next) => {
  req.session.destroy(error => error ? next(error) : res.json(answer(req)))
})

app.post('/logout-everywhere', async (/** @type {any} */ req, res) => {
  const ended = req.session.user === undefined ? 0 : await store.destroyOf(req.session.user)
  res.json({ ended })
})

module.exports = { app, sessions, store }
