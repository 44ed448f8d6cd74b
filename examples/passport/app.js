'use strict'

const express = require('express')
const session = require('express-session')
const passport = require('passport')
const { Strategy } = require('passport-local')
const { AerospikeStore } = require('aerospike-session')

const { AEROSPIKE_SET, NODE_ENV, PORT = 8080, SESSION_SECRET } = process.env

// Everyone can read this secret, so the app does not start with it in production.
const DEVELOPMENT_SECRET = 'a secret for development only: it is published'
const secret = SESSION_SECRET || DEVELOPMENT_SECRET
const isProduction = NODE_ENV === 'production'
if (isProduction && (secret === DEVELOPMENT_SECRET || secret.length < 32)) {
  throw new Error('In production, SESSION_SECRET must be set to at least 32 random characters, such as those of `openssl rand -hex 32`')
}

// Stands for the application's own users and their hashed passwords.
/** @type {Map<string, { id: string, password: string }>} */
const users = new Map([['ada', { id: 'ada', password: 'lovelace' }], ['grace', { id: 'grace', password: 'hopper' }]])

passport.use(new Strategy((name, password, done) => {
  const user = users.get(name)
  done(null, user?.password === password ? user : false)
}))
passport.serializeUser((user, done) => done(null, user.id))
passport.deserializeUser((id, done) => done(null, users.get(id) ?? false))

// The hosts come from AEROSPIKE_HOSTS; without it, localhost:3000. Option `user` lets the store find all sessions of a user.
const store = new AerospikeStore({ set: AEROSPIKE_SET, user: 'passport.user' })
const app = express()
// In production a proxy terminates TLS. Its X-Forwarded-Proto is trusted if it connects from this machine or a private network.
if (isProduction) app.set('trust proxy', 'loopback, uniquelocal')
app.use(session({
  store,
  name: 'sid',
  secret,
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: isProduction, maxAge: 30 * 60 * 1000 }
}))
app.use(passport.session())

/** @param {any} req */
const answer = req => ({ user: req.user?.id ?? null, visits: req.session.visits ?? 0 })

app.get('/', (/** @type {any} */ req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.json(answer(req))
})

// passport gives the session a new id and drops the data of the old one.
app.post('/login', express.urlencoded(), passport.authenticate('local'), (req, res) => {
  res.json(answer(req))
})

app.post('/logout', (/** @type {any} */ req, res, next) => {
  req.logout((/** @type {any} */ error) => error ? next(error) : res.json(answer(req)))
})

app.post('/logout-everywhere', async (/** @type {any} */ req, res) => {
  const ended = req.user === undefined ? 0 : await store.destroyOf(req.user.id)
  res.json({ ended })
})

const server = app.listen(Number(PORT), error => {
  if (error) throw error
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Listening on http://localhost:${port}`)
})
process.once('SIGTERM', () => server.close(() => store.close()))
